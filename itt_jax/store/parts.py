"""The folder of work on the rows of one checkpoint, written in parts; table and figures follow from them.

OUT/attack.json or certificate.json   the request, and the versions and devices that it ran with
OUT/rows/<language>-<part>.jsonl      rows of one part, one a line
OUT/results.csv                       all rows; those of an attack in TextAttack's columns
OUT/summary.json                      figures by language
"""

import dataclasses
import json
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from itt_jax import files
from itt_jax.errors import InputError


@dataclasses.dataclass(frozen=True)
class PartsFolder:
    """A folder; it is created when something is first written.

    Attributes:
        noun: what it holds: "attack" or "certificate".
        writes: whether this process writes what it makes; False in all but the first of several processes, and once
            another worker has taken over the work.
    """

    out: pathlib.Path
    noun: str
    writes: Callable[[], bool] = lambda: True

    @property
    def is_begun(self) -> bool:
        """Whether the folder holds such work, finished or not."""
        return self._about.is_file()

    def existing(self) -> dict[str, Any] | None:
        """What is said of the request; None for a new folder.

        Raises:
            InputError: the folder holds something else.
        """
        path = self._about
        if not path.is_file():
            if self.out.exists() and (not self.out.is_dir() or any(self.out.iterdir())):
                raise InputError(f"--out {self.out}: holds files, but no {self.noun}; expected a new or empty folder")
            return None
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise InputError(f"{path}: not JSON ({error})") from error
        if not isinstance(found, dict) or not {f"{self.noun}_id", "precision"} <= set(found):
            raise InputError(f"{path}: no {self.noun} of ours; expected {self.noun}_id and precision")
        return found

    def begin(self, about: dict[str, Any]) -> None:
        """Write what is said of the request."""
        files.write_json(self._about, about)

    def part(self, language: str, number: int) -> list[dict[str, Any]] | None:
        """The rows of a part; None where it is not finished."""
        path = self._part(language, number)
        if not path.is_file():
            return None
        try:
            return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]
        except ValueError as error:
            raise InputError(f"{path}: damaged ({error}); remove it to have it made again") from error

    def rows(self) -> list[dict[str, Any]]:
        """The rows of all languages, of finished work.

        Raises:
            InputError: it is not finished, or a part is damaged.
        """
        found = []
        for language in (own["language"] for own in self.summary()):
            number = 0
            while (part := self.part(language, number)) is not None:
                found += part
                number += 1
        return found

    def write_part(self, language: str, number: int, rows: Sequence[dict[str, Any]]) -> None:
        """Write a finished part."""
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
        files.write_text(self._part(language, number), "".join(f"{line}\n" for line in lines))

    def made(
        self,
        language: str,
        cases: Sequence[Any],
        size: int,
        make: Callable[[int, Sequence[Any]], Sequence[Any]],
    ) -> Iterator[dict[str, Any]]:
        """What `make` makes of each case of a language; parts that are missing are made and written.

        Args:
            size: cases of a part. make: (number of the first case, cases of a part) -> a dataclass for each.
        """
        for number, first in enumerate(range(0, len(cases), size)):
            rows = self.part(language, number)
            if rows is None:
                rows = [dataclasses.asdict(own) for own in make(first, cases[first : first + size])]
                if self.writes():
                    self.write_part(language, number, rows)
            yield from rows

    def write_summary(self, summaries: Sequence[dict[str, Any]]) -> None:
        """Write summary.json."""
        files.write_json(self._summary, list(summaries))

    def summary(self) -> list[dict[str, Any]]:
        """What `write_summary` wrote.

        Raises:
            InputError: the work is not finished, or the file is damaged.
        """
        if not self._summary.is_file():
            raise InputError(f"--out {self.out}: the {self.noun} is not finished; repeat its command to continue it")
        try:
            return json.loads(self._summary.read_text(encoding="utf-8"))
        except ValueError as error:
            raise InputError(f"{self._summary}: damaged ({error})") from error

    @property
    def results(self) -> pathlib.Path:
        """The CSV of all rows."""
        return self.out / "results.csv"

    @property
    def _summary(self) -> pathlib.Path:
        return self.out / "summary.json"

    @property
    def _about(self) -> pathlib.Path:
        return self.out / f"{self.noun}.json"

    def _part(self, language: str, number: int) -> pathlib.Path:
        return self.out / "rows" / f"{language}-{number:04d}.jsonl"
