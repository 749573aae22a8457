"""Results of scoring: figures by task and language, their averages, and the tasks in each average."""

import dataclasses
import textwrap


@dataclasses.dataclass(frozen=True)
class Average:
    """A mean over tasks, with its tasks.

    Attributes:
        value: in percent.
        of: task -> its figure; all have the same weight.
    """

    value: float
    of: dict[str, float]

    @classmethod
    def over(cls, figures: dict[str, float]) -> "Average":
        """The mean of the figures of tasks."""
        return cls(sum(figures.values()) / len(figures), figures)


@dataclasses.dataclass(frozen=True)
class Scores:
    """The figures of one system on one benchmark, in percent.

    Attributes:
        languages: task -> language -> metric -> value.
        tasks: task -> metric -> mean over the languages.
        figures: task -> the figure that enters averages (for question answering, the mean of exact match and F1).
        groups: group -> mean over its tasks; groups that lack a task are left out.
        overall: mean over all tasks; None if one is absent.
        absent: tasks without predictions or labels.
        notes: what was left out, and the rules used.
        mean: the kind of mean over languages and tasks.
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
        """All fields, as JSON values."""
        return dataclasses.asdict(self)

    def text(self) -> str:
        """All figures as text, except precision and recall of each language."""
        lines = []
        for task, by_metric in self.tasks.items():
            values = ", ".join(f"{metric} {value:.2f}" for metric, value in by_metric.items())
            lines.append(f"{task}: {values} ({self.mean} of {len(self.languages[task])} languages)")
            for metric in [metric for metric in by_metric if metric not in ("precision", "recall")]:
                row = " ".join(f"{code}\xa0{found[metric]:.2f}" for code, found in self.languages[task].items())
                wrapped = textwrap.wrap(f"{metric}: {row}", 110, initial_indent="  ", subsequent_indent="    ")
                # The no-break space kept each code beside its figure.
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
