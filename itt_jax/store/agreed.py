"""Decisions that the first worker on a results folder takes for all; each is a file that is written once.

OUT/precision/<model>    the precision in which every worker evaluates this model
OUT/looks/<hash>/<n>     what was seen when a study that grows by seeds was looked at after n of them
OUT/declared/<n>-<hash>  what a worker on a shared folder declared, after n changes
"""

import hashlib
import pathlib
import urllib.parse
from collections.abc import Callable, Iterable
from typing import Any

from itt_jax import files
from itt_jax.errors import InputError
from itt_jax.store.objects import DECLARED, LOOK, object_text, read_object
from itt_jax.store.sharing import Sharing

PRECISIONS = ("float32", "bfloat16", "bfloat16_products")
"""Precisions in which cells can be computed."""
MOST_CHARACTERS = 150
"""Length of a file name that is made from a model's name; the rest of the name becomes a digest."""


class Agreed:
    """The decisions in the folder `out`.

    Args:
        sharing: as in `Store`.
    """

    def __init__(self, out: pathlib.Path, sharing: Sharing | None = None):
        self._out, self._sharing = out, sharing

    def look(self, declared: str, seeds: int) -> dict[str, Any] | None:
        """What was seen after that many seeds by the study of that declaration; None before the look.

        Raises:
            InputError: the file is damaged.
        """
        path = self._look(declared, seeds)
        return read_object(path, LOOK) if files.exists(path) else None

    def create_look(self, declared: str, seeds: int, seen: dict[str, Any]) -> bool:
        """Record a look, which is then final; returns whether it was new."""
        return self._choose(self._look(declared, seeds), object_text(seen))

    def looks(self, declared: str) -> list[dict[str, Any]]:
        """All looks of a declaration, by number of seeds."""
        numbers = sorted(int(path.stem) for path in self._look(declared, 0).parent.glob("*.json"))
        return [seen for number in numbers if (seen := self.look(declared, number))]

    def _look(self, declared: str, seeds: int) -> pathlib.Path:
        return self._out / "looks" / declared / f"{seeds}.json"

    def declarations(self) -> list[dict[str, Any]]:
        """What workers on the shared folder have declared; none where they share nothing but `out`.

        Raises:
            InputError: a file is damaged.
        """
        return [read_object(path, DECLARED) for path in sorted(self._out.glob("declared/*.json"))]

    def declare(self, declaration: dict[str, Any]) -> dict[str, Any]:
        """The declaration of the first worker on a shared folder; without one, the worker's own.

        Args:
            declaration: its "hash" and number of "changes", which are the same for all workers, and fields that may
                differ between them.
        """
        if self._sharing is None:
            return declaration
        path = self._out / "declared" / f"{len(declaration['changes'])}-{declaration['hash']}.json"
        self._choose(path, object_text(declaration))
        return read_object(path, DECLARED)

    def _choose(self, path: pathlib.Path, text: str) -> bool:
        """Write a file, the same for all workers, unless it is there; returns whether it was written."""
        if self._sharing:
            text = self._sharing.choose(path.relative_to(self._out).as_posix(), text.encode()).decode()
        return files.create_text(path, text)

    def precision(self, model: str, choose: Callable[[], str]) -> str:
        """The precision in which every cell of `model` is computed ("float32"); the first worker chooses it.

        Scores of one encoder are compared across arms, noises and seeds, and the differences of interest are smaller
        than those between precisions.
        """
        path = self._precisions / _file_name(model)
        if not files.exists(path):
            self._choose(path, choose())
        return _read_precision(path)

    def precisions(self, models: Iterable[str]) -> dict[str, str]:
        """Model -> precision, for those models for which one has been chosen."""
        paths = {model: self._precisions / _file_name(model) for model in models}
        return {model: _read_precision(path) for model, path in paths.items() if files.exists(path)}

    @property
    def _precisions(self) -> pathlib.Path:
        return self._out / "precision"


def _file_name(model: str) -> str:
    """The file name for a model."""
    name = urllib.parse.quote(model, safe="")
    if len(name) > MOST_CHARACTERS:
        name = f"{name[:MOST_CHARACTERS]}-{hashlib.sha256(model.encode()).hexdigest()[:16]}"
    return name


def _read_precision(path: pathlib.Path) -> str:
    """The precision that a file names.

    Raises:
        InputError: it names none.
    """
    try:
        found = path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error
    if found not in PRECISIONS:
        raise InputError(f"{path}: found {found!r:.80}, expected {' or '.join(PRECISIONS)}")
    return found
