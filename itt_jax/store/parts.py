"""The folder of an attack or certificate on one checkpoint, written in parts; table and figures are derived from them.

OUT/attack.json or certificate.json   the request, and the versions and devices that it ran with
OUT/rows/<language>-<part>.jsonl      rows of one part, one a line; the last line is a checksum of all lines before it,
                                      which earlier versions did not write
OUT/results.csv                       all rows; those of an attack in TextAttack's columns
OUT/summary.json                      figures by language
"""

import dataclasses
import json
import logging
import pathlib
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from itt_jax import files
from itt_jax.errors import InputError
from itt_jax.store.clearing import without_temporaries
from itt_jax.store.objects import CHECKSUM, read_object, write_object
from itt_jax.store.parquet import DamagedError

log = logging.getLogger(__name__)


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
        """The description of the request; None for a new folder.

        Raises:
            InputError: the folder holds something else.
        """
        path, others = self._about, without_temporaries(self.out)  # before another process may write the request
        if not files.exists(path):
            if others:
                raise InputError(f"--out {self.out}: holds files, but no {self.noun}; expected a new or empty folder")
            return None
        found = read_object(path, {})
        if not {f"{self.noun}_id", "precision"} <= set(found):
            raise InputError(f"{path}: not the request of our {self.noun}; expected {self.noun}_id and precision")
        return found

    def begin(self, about: dict[str, Any]) -> None:
        """Write the description of the request."""
        write_object(self._about, about)

    def part(self, language: str, number: int) -> list[dict[str, Any]] | None:
        """The rows of a part; None if it is not finished. Raises as `read_rows`."""
        path = self._part(language, number)
        return read_rows(path) if files.exists(path) else None

    def rows(self) -> list[dict[str, Any]]:
        """The rows of all languages; the work must be finished.

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
        text = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
        checked = f"{text}{json.dumps({CHECKSUM: _checksum(text)})}\n"
        files.write_text(self._part(language, number), checked)

    def made(
        self,
        language: str,
        cases: Sequence[Any],
        size: int,
        make: Callable[[int, Sequence[Any]], Sequence[Any]],
    ) -> Iterator[dict[str, Any]]:
        """The result of `make` for each case of a language; parts that are missing or damaged are made and written.

        Args:
            size: number of cases in a part. make: (number of the first case, cases of a part) -> a dataclass
                for each case.
        """
        for number, first in enumerate(range(0, len(cases), size)):
            try:
                rows = self.part(language, number)
            except DamagedError as error:
                log.warning("%s; it is made again", error)
                rows = None
            if rows is None:
                rows = [dataclasses.asdict(own) for own in make(first, cases[first : first + size])]
                if self.writes():
                    self.write_part(language, number, rows)
            yield from rows

    def write_summary(self, summaries: Sequence[dict[str, Any]]) -> None:
        """Write summary.json."""
        files.write_json(self._summary, list(summaries))

    def summary(self) -> list[dict[str, Any]]:
        """The figures that `write_summary` wrote.

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


def read_rows(path: pathlib.Path) -> list[dict[str, Any]]:
    """The rows in the file of a part.

    Raises:
        DamagedError: they differ from what was written.
        InputError: it cannot be read.
    """
    try:
        lines = files.read_bytes(path).decode().split("\n")
        rows = [json.loads(line) for line in lines[:-1]]
    except (ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise DamagedError(f"{path}: damaged ({error})") from error
    if rows and isinstance(rows[-1], dict) and rows[-1].keys() == {CHECKSUM}:
        text = "".join(f"{line}\n" for line in lines[:-2])
        if lines[-1] or rows.pop()[CHECKSUM] != _checksum(text):
            raise DamagedError(f"{path}: damaged: its rows do not match its checksum")
    elif not rows or lines[-1] or not all(isinstance(row, dict) and row.keys() == rows[0].keys() for row in rows):
        raise DamagedError(f"{path}: damaged: expected objects with the same fields in whole lines")
    return rows


def _checksum(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"
