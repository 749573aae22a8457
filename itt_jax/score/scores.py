"""What scoring gives: figures by task and language, their averages, and what went into them."""

import dataclasses
import textwrap


@dataclasses.dataclass(frozen=True)
class Average:
    """A mean over tasks, with what went into it.

    Attributes:
        value: in percent. of: task -> its figure, each with the same weight.
    """

    value: float
    of: dict[str, float]

    @classmethod
    def over(cls, figures: dict[str, float]) -> "Average":
        """The mean of tasks' figures."""
        return cls(sum(figures.values()) / len(figures), figures)


@dataclasses.dataclass(frozen=True)
class Scores:
    """The figures of one system on one benchmark, in percent.

    Attributes:
        languages: task -> language -> metric -> value.
        tasks: task -> metric -> mean over the languages.
        figures: task -> the one figure that averages are taken over (of questions, the mean of exact match and F1).
        groups: group -> mean over its tasks; a group that lacks a task is not there.
        overall: mean over all tasks; None where one is absent.
        absent: tasks without predictions or labels.
        notes: what was left out, and by which rule something was computed.
        mean: which mean is taken over languages and tasks.
    """

    benchmark: str
    languages: dict[str, dict[str, dict[str, float]]]
    tasks: dict[str, dict[str, float]]
    figures: dict[str, float]
    groups: dict[str, Average]
    overall: Average | None
    absent: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    mean: str = "mean"

    def as_dict(self) -> dict:
        """Everything, as JSON knows it."""
        return dataclasses.asdict(self)

    def text(self) -> str:
        """Everything, to read; precision and recall of each language are in `as_dict` alone."""
        lines = []
        for task, by_metric in self.tasks.items():
            values = ", ".join(f"{metric} {value:.2f}" for metric, value in by_metric.items())
            lines.append(f"{task}: {values} ({self.mean} of {len(self.languages[task])} languages)")
            for metric in [metric for metric in by_metric if metric not in ("precision", "recall")]:
                row = " ".join(f"{code}\xa0{found[metric]:.2f}" for code, found in self.languages[task].items())
                wrapped = textwrap.wrap(f"{metric}: {row}", 110, initial_indent="  ", subsequent_indent="    ")
                # A code stays beside its figure.
                lines += [line.replace("\xa0", " ") for line in wrapped]
        lines += [self._line(name, average) for name, average in self.groups.items()]
        if self.overall:
            lines.append(self._line(f"{self.benchmark} average", self.overall))
        if self.absent:
            lines.append(f"absent: {', '.join(self.absent)}")
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    def _line(self, name: str, average: Average) -> str:
        parts = ", ".join(f"{task} {value:.2f}" for task, value in average.of.items())
        return f"{name}: {average.value:.2f} = {self.mean} of {parts}"
