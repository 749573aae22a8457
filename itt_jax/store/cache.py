"""A cache of finished stages, which studies share so that none trains a stage that another has trained.

    DIR/stages/<id>-<precision>/   record.json, checkpoint/, and a manifest of the record and the checkpoint's manifest
    DIR/claims/<id>-<precision>    which worker of which study holds it
    DIR/damaged/                   stages that were found damaged, and trained again

A results folder holds stages of its own, so it needs no cache once they are there. Files are hard links where cache and
folder are on one file system, and copies elsewhere: nothing here changes a file in place.
"""

import contextlib
import os
import pathlib
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from itt_jax import files
from itt_jax.errors import InputError
from itt_jax.store.claims import Claims
from itt_jax.store.objects import RECORD, read_object
from itt_jax.store.place import check_utf8, nearest_folder
from itt_jax.store.slots import SlotFiles

RECORD_FILE, CHECKPOINT = "record.json", "checkpoint"


class StageCache:
    """The stages in a folder that were trained in one precision; failures are reported but never raised.

    Args:
        folder: created when something is first written. precision: of the training ("float32").

    Attributes:
        say: called once with each line about a failure.

    Raises:
        InputError: `folder` cannot be a cache: a file, a results folder, or a new one where nothing can be written.
    """

    def __init__(self, folder: pathlib.Path, precision: str):
        check_utf8(str(folder), "--cache")
        above = nearest_folder(folder, "--cache")
        self.folder, self._precision = folder, precision
        self.is_read_only = not os.access(above, os.W_OK | os.X_OK)
        if self.is_read_only and not folder.is_dir():
            raise InputError(f"--cache {folder}: {above} is read-only, expected a folder that is there or can be made")
        if (folder / "plan.json").exists():
            raise InputError(f"--cache {folder}: a results folder, expected one for stages of many studies")
        self.say: Callable[[str], None] = lambda line: None
        self._said: set[str] = set()
        self._claims = Claims(SlotFiles(folder / "claims"))

    def __contains__(self, stage_id: str) -> bool:
        return self._stage(stage_id).is_dir()

    @contextlib.contextmanager
    def claim(self, stage_id: str) -> Iterator[bool]:
        """Hold a stage against the workers of all studies; yields False while another worker holds it.

        Where nothing can be written, nobody holds anything.
        """
        with contextlib.ExitStack() as held:
            free = True
            if not self.is_read_only:
                with self._warning("no claim on its stages"):
                    free = held.enter_context(self._claims.claim(self._name(stage_id))) is not None
                    self._clear(stage_id) if free else None
            yield free

    def holders(self, stage_ids: Iterable[str]) -> list[str]:
        """Who is on these stages, and since when; a line for each worker."""
        return self._claims.holders(map(self._name, stage_ids))

    def take(self, stage_id: str, checkpoint: pathlib.Path) -> dict[str, Any] | None:
        """Put the checkpoint of a claimed stage at `checkpoint`; returns the stage's record.

        None if the cache lacks the stage, or if its copy is damaged and was set aside.
        """
        stage = self._stage(stage_id)
        if not stage.is_dir():
            return None
        try:
            files.check_manifest(stage, "stage")
            files.check_manifest(stage / CHECKPOINT, "checkpoint")
            record = read_object(stage / RECORD_FILE, RECORD)
            if record.get("id") != stage_id:
                raise InputError(f"{stage / RECORD_FILE}: id: found {record.get('id')!r:.80}, expected {stage_id!r}")
        except InputError as error:
            self._set_aside(stage, error)
            return None
        with self._warning(f"stage {stage_id} is not taken from it"):
            with files.new_folder(checkpoint) as partial:
                _link_all(stage / CHECKPOINT, partial)
            return record
        return None

    def add(self, stage_id: str, record: dict[str, Any], checkpoint: pathlib.Path) -> None:
        """Add a claimed, finished stage, whole or not at all; one that is already there stays."""
        if self.is_read_only:
            return
        with (
            self._warning(f"stage {stage_id} is not added to it"),
            files.new_folder(self._stage(stage_id), keep_existing=True) as partial,
        ):
            (partial / CHECKPOINT).mkdir()
            _link_all(checkpoint, partial / CHECKPOINT)
            files.write_json(partial / RECORD_FILE, record)
            files.write_manifest(partial, (RECORD_FILE, f"{CHECKPOINT}/{files.MANIFEST}"))

    def _name(self, stage_id: str) -> str:
        return f"{stage_id}-{self._precision}"

    def _stage(self, stage_id: str) -> pathlib.Path:
        return self.folder / "stages" / self._name(stage_id)

    def _clear(self, stage_id: str) -> None:
        """Remove what killed workers have left of a claimed stage."""
        for left in (self.folder / "stages").glob(f".{self._name(stage_id)}.*"):
            shutil.rmtree(left, ignore_errors=True)

    def _set_aside(self, stage: pathlib.Path, error: InputError) -> None:
        aside, where = self.folder / "damaged" / f"{stage.name}.{secrets.token_hex(4)}", ""
        if not self.is_read_only:
            with self._warning(f"{stage.name} is not set aside"):
                aside.parent.mkdir(parents=True, exist_ok=True)
                os.rename(stage, aside)
                where = f"it is set aside ({aside}) and "
        self._warn(f"{error}; {where}trained again")

    @contextlib.contextmanager
    def _warning(self, what: str) -> Iterator[None]:
        """Report what a full or failing disk means for the study, which goes on."""
        try:
            yield
        except (OSError, InputError) as error:
            cause = getattr(error, "strerror", None) or str(error)
            self._warn(f"--cache {self.folder}: {what} ({cause!s:.200})")

    def _warn(self, line: str) -> None:
        if line not in self._said:
            self._said.add(line)
            self.say(f"warning: {line}")


def _link_all(folder: pathlib.Path, new: pathlib.Path) -> None:
    """Link the files of a folder into another one, or copy them."""
    for path in sorted(folder.rglob("*")):
        target = new / path.relative_to(folder)
        if path.is_dir():
            target.mkdir()
            continue
        try:
            os.link(path, target)
        except OSError:  # another file system, or one without links
            shutil.copyfile(path, target)
