"""The resumable states of unfinished stages; the policy is in loop.py."""

import dataclasses
import json
import logging
import pathlib
import re
import shutil
from collections.abc import Callable, Mapping
from typing import Any

from itt_jax import files
from itt_jax.errors import InputError
from itt_jax.reading.text import read_json
from itt_jax.train.processes import first_then_others, is_first, shared
from itt_jax.train.provenance import differ, made_with
from itt_jax.train.trees import load_tree, new_folder, save_tree

log = logging.getLogger(__name__)
_STATE = re.compile("resume-[0-9]{1,15}")


@dataclasses.dataclass(frozen=True)
class Resume:
    """The latest state of one run: the newest complete folder `directory`/resume-<steps done>.

    `fingerprint` is a digest of everything that determines the run; the state of another run is refused. Nothing is
    saved once `is_lost()`: another worker has taken the run over.
    """

    directory: pathlib.Path
    fingerprint: str
    is_lost: Callable[[], bool] = dataclasses.field(default=lambda: False, compare=False)

    def save(self, step: int, tree: Any, record: dict[str, Any]) -> None:
        """Save `tree` (arrays) and `record` (JSON) as the state after `step` steps, and remove those of earlier steps.

        A later state belongs to another worker, which has taken over the stage; it stays.

        All processes call it together with the same `tree`, on one file system.
        """
        if shared(self.is_lost):
            return
        older = [path for own, path in self._states().items() if own < step]
        with new_folder(self.directory / f"resume-{step}") as folder:
            save_tree(folder / "tree", tree)
            if is_first():
                about = {"fingerprint": self.fingerprint, "made_with": made_with()}
                (folder / "record.json").write_text(json.dumps(about | record))
        if is_first():
            for path in older:
                shutil.rmtree(path, ignore_errors=True)

    def record(self) -> tuple[int, dict[str, Any]] | None:
        """Steps done and record of the newest state, None without one. A damaged one is removed.

        Where another kind or number of devices or other versions made it, a warning says so, and the record's
        `interrupted` has one more entry.

        Raises:
            InputError: it cannot be read, or belongs to another stage or precision.
        """
        first_then_others(self._drop_damaged)
        states = self._states()
        if not states:
            return None
        step = max(states)
        path = states[step] / "record.json"
        record = read_json(path)
        if not isinstance(record, dict):
            raise InputError(f"{path}: expected a JSON object, found {type(record).__name__}")
        if record.pop("fingerprint", None) != self.fingerprint:
            raise InputError(
                f"{states[step]} belongs to another stage, or was trained in another precision; remove it or choose "
                "another directory"
            )
        before = record.pop("made_with", None)  # earlier versions wrote none
        if before is not None and differ(before, now := made_with()):
            record["interrupted"] = [*record.get("interrupted", ()), {"steps": step, **before}]
            if is_first():
                both = _described(before, now), _described(now, before)
                log.warning("%s: trained with %s until here, and from here with %s", states[step], *both)
        return step, record

    def _drop_damaged(self) -> None:
        """Remove damaged states; their steps are then trained again."""
        for path in self._states().values():
            try:
                files.check_manifest(path, "checkpoint")
            except InputError as error:
                if isinstance(error.__cause__, OSError):
                    raise
                log.warning("%s; the state is removed, and its steps are trained again", error)
                shutil.rmtree(path)

    def tree(self, step: int, like: Any) -> Any:
        """The arrays of the state after `step` steps, with the structure and shapes of `like`."""
        return load_tree(self._states()[step] / "tree", like)

    def round(self, number: int) -> dict[str, Any] | None:
        """The record that `save_round` saved, or None. Records of another stage and damaged files are ignored."""
        try:
            saved = read_json(self._round(number))
        except InputError:
            return None
        is_own = isinstance(saved, dict) and saved.get("fingerprint") == self.fingerprint
        return saved.get("record") if is_own else None

    def save_round(self, number: int, record: dict[str, Any]) -> None:
        """Save the result of a round of attacks (JSON), on which later states depend."""
        if not self.is_lost():
            files.write_text(self._round(number), json.dumps({"fingerprint": self.fingerprint, "record": record}))

    def _round(self, number: int) -> pathlib.Path:
        return self.directory / f"attacked-{number}.json"

    def _states(self) -> dict[int, pathlib.Path]:
        return {_steps(path): path for path in self.directory.glob("resume-*") if _STATE.fullmatch(path.name)}


def _described(own: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """Device, and those versions that differ from the other's."""
    versions = [f"{name} {found}" for name, found in own["versions"].items() if other["versions"].get(name) != found]
    return ", ".join([own["device"], *versions])


def _steps(state: pathlib.Path) -> int:
    """Steps done at a state, from its name."""
    return int(state.name.removeprefix("resume-"))


def interrupted_at(directory: pathlib.Path) -> int | None:
    """The largest number of steps done by an interrupted run of a stage; None if there is no resumable state."""
    states = [path for pattern in ("resume-*", "*/resume-*") for path in pathlib.Path(directory).glob(pattern)]
    return max((_steps(path) for path in states if _STATE.fullmatch(path.name)), default=None)


def resumable_bytes(directory: pathlib.Path) -> int:
    """Size of the resumable states of a stage's runs."""
    return sum(path.stat().st_size for path in pathlib.Path(directory).glob("**/resume-*/**/*") if path.is_file())


def forget_resume(directory: pathlib.Path) -> None:
    """Remove the resumable states of a stage after its result has been saved."""
    if not is_first():
        return
    for path in pathlib.Path(directory).glob("resume-*"):
        shutil.rmtree(path)
    for path in pathlib.Path(directory).glob("attacked-*.json"):
        path.unlink()
