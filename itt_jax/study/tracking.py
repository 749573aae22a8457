"""Training curves for other programs: TensorBoard's event files in the results folder, and runs of wandb."""

import dataclasses
import importlib
import json
import os
import socket
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from itt_jax import files
from itt_jax.errors import InputError
from itt_jax.store import Store, event_files

TOTALS = ("learning_rate", "tokens", "flops", "packing_efficiency", "wall_seconds")
"""Numbers of a finished stage's record that are tracked at its last step."""
LIVE = ("loss", "dev", "tokens/s", "flops/s", "packing efficiency")
"""Values of progress that are tracked while stages train."""
MOST_CHARACTERS = 150
"""Maximum length of the name of a run's folder."""


class Tracker(Protocol):
    """Where training curves go.

    Attributes:
        later: the end of a warning about curves that could not be tracked, after the reason.
    """

    later: str

    def begin(self, records: Sequence[Mapping[str, Any]], study: Mapping[str, Any]) -> None:
        """A run of a study begins; some of its stages are finished."""

    def live(self, label: str, step: int, values: Mapping[str, float]) -> None:
        """Stages of one label are at a step; of several trained together, `values` are means."""

    def finished(self, record: Mapping[str, Any], study: Mapping[str, Any]) -> None:
        """A stage is finished."""


class Guarded:
    """Trackers of a run, none of which can end it: a failure is a warning, printed once.

    Args:
        say: prints a line.
    """

    def __init__(self, trackers: Sequence[Tracker], say: Callable[[str], None]):
        self._trackers, self._say = trackers, say
        self._said: set[str] = set()

    def begin(self, records: Sequence[Mapping[str, Any]], study: Mapping[str, Any]) -> None:
        """See Tracker."""
        self._each("what is finished already", lambda tracker: tracker.begin(records, study))

    def live(self, label: str, step: int, values: Mapping[str, float]) -> None:
        """See Tracker."""
        self._each("what trains now", lambda tracker: tracker.live(label, step, values))

    def finished(self, record: Mapping[str, Any], study: Mapping[str, Any]) -> None:
        """See Tracker."""
        self._each(name_of(record), lambda tracker: tracker.finished(record, study))

    def _each(self, what: str, call: Callable[[Tracker], None]) -> None:
        for tracker in self._trackers:
            try:
                call(tracker)
            except Exception as error:  # a third-party library, its service or a disk; training goes on
                reason = " ".join(f"{type(error).__name__}: {error}".split())
                line = f"warning: no training curves of {what} for {type(tracker).__name__} ({reason}){tracker.later}"
                if line not in self._said:
                    self._said.add(line)
                    self._say(line)


class TensorBoard:
    """Event files in OUT/tensorboard: a run for each finished stage, and one for the current training."""

    later = "; the next run writes those of finished stages"

    def __init__(self, store: Store):
        self.folder, self._began = store.tensorboard, time.time()

    def begin(self, records: Sequence[Mapping[str, Any]], study: Mapping[str, Any]) -> None:
        """Write the missing files of finished stages."""
        for record in records:
            self.finished(record, study)

    def live(self, label: str, step: int, values: Mapping[str, float]) -> None:
        """Append to the file of this process."""
        own = {name: values[name] for name in LIVE if name in values}
        if not own:
            return
        name = f"events.out.tfevents.{int(self._began)}.{socket.gethostname()}.{os.getpid()}"
        path = self.folder / "live" / _folder_name(label) / name
        now = time.time()
        content = b"" if path.is_file() else event_files.head(now)
        content += b"".join(event_files.scalar(f"live/{name}", value, step, now) for name, value in own.items())
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(content)

    def finished(self, record: Mapping[str, Any], study: Mapping[str, Any]) -> None:
        """Write the file of a stage, unless it is there."""
        path = self.folder / "stages" / _folder_name(name_of(record)) / f"events.out.tfevents.0.{record['id']}"
        if path.is_file():
            return
        seconds, steps = record.get("wall_seconds") or 0.0, max(1, record.get("steps") or 1)
        began = time.time() - seconds
        content = [event_files.head(began), event_files.text("config", as_text(record, study), 0, began)]
        for step, values in curves(record):
            at = began + seconds * step / steps
            content += [event_files.scalar(name, value, step, at) for name, value in values.items()]
        files.write_bytes(path, b"".join(content))


class Wandb:
    """A wandb run for each stage that is finished from now on.

    Args:
        project: name of the project. name: name of the study, which groups its runs.

    Raises:
        InputError: wandb is not installed.
    """

    later = "; they are not logged later"

    def __init__(self, project: str, name: str):
        try:
            self._wandb = importlib.import_module("wandb")
        except ImportError as error:
            raise InputError("--wandb: wandb is not installed; expected it (pip install wandb)") from error
        self.project, self.name = project, name

    def begin(self, records: Sequence[Mapping[str, Any]], study: Mapping[str, Any]) -> None:
        """Stages that finished before have no run, unless it was logged then."""

    def log_in(self) -> None:
        """Log in; asks for a key on a terminal if there is none.

        Raises:
            InputError: it cannot be done.
        """
        try:
            self._wandb.login(verify=True)
        except Exception as error:  # its own classes of errors, or the network's
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            advice = "run `wandb login`, or set WANDB_MODE=offline"
            raise InputError(f"--wandb: cannot log in ({reason}); {advice}") from error

    def live(self, label: str, step: int, values: Mapping[str, float]) -> None:
        """Runs are written when their stage is finished."""

    def finished(self, record: Mapping[str, Any], study: Mapping[str, Any]) -> None:
        """Log the curves of a stage as one run; a stage that is made again continues its run."""
        about = {"project": self.project, "group": self.name, "name": name_of(record), "id": record["id"]}
        own = self._wandb.init(**about, resume="allow", config={"stage": described(record), "study": dict(study)})
        try:
            for step, values in curves(record):
                own.log(values, step=step)
        finally:
            own.finish()  # else the next stage would continue this run


@dataclasses.dataclass(frozen=True)
class Tracking:
    """The tracking that is requested for a run.

    Attributes:
        tensorboard: write event files to OUT/tensorboard. wandb: a wandb project, or None.
    """

    tensorboard: bool = False
    wandb: str | None = None

    def check(self) -> None:
        """Check, before any work begins, that tracking is possible.

        Raises:
            InputError: wandb is not installed, or cannot log in.
        """
        if self.wandb:
            Wandb(self.wandb, "").log_in()

    def trackers(self, store: Store, name: str) -> tuple[Tracker, ...]:
        """The trackers of a study of that name.

        Raises:
            InputError: wandb is not installed.
        """
        found: list[Tracker] = [TensorBoard(store)] if self.tensorboard else []
        return (*found, *([Wandb(self.wandb, name)] if self.wandb else []))


UNTRACKED = Tracking()


def curves(record: Mapping[str, Any]) -> Iterator[tuple[int, dict[str, float]]]:
    """The values of a finished stage by step, in order: losses, dev scores and, at the last step, totals."""
    found: dict[int, dict[str, float]] = {}
    for name, key in (("loss", "losses"), ("dev", "dev_history")):
        for step, value in record.get(key) or ():
            if value is not None:  # NaN is null in JSON
                found.setdefault(step, {})[name] = value
    totals = {name: record[name] for name in TOTALS if record.get(name) is not None}
    found.setdefault(max([record.get("steps") or 0, *found]), {}).update(totals)
    yield from sorted(found.items())


def described(record: Mapping[str, Any]) -> dict[str, Any]:
    """A stage's description in its record, without the curves."""
    return {name: value for name, value in record.items() if name not in ("losses", "dev_history")}


def as_text(record: Mapping[str, Any], study: Mapping[str, Any]) -> str:
    """A stage and its study as Markdown."""
    found = {"stage": described(record), "study": study}
    return f"```\n{json.dumps(found, indent=1, ensure_ascii=False)}\n```"


def name_of(record: Mapping[str, Any]) -> str:
    """A name for a stage, unique within the folder: "bert, target sentiment, itt, seed 0, d1b9556d"."""
    role = " ".join([str(record.get("kind")), *record.get("targets", ())])
    parts = (record.get("encoder"), role, "+".join(record.get("arms", ())), f"seed {record.get('seed')}")
    return ", ".join([*(str(part) for part in parts if part), record["id"][:8]])


def _folder_name(label: str) -> str:
    """A label as the name of a folder; its end, which distinguishes stages, is kept."""
    return urllib.parse.quote(label, safe=" ,+=")[-MOST_CHARACTERS:]
