"""Validity sheets: perturbed texts for people to judge, and counts of their verdicts.

A sheet is a CSV file that spreadsheets open directly: UTF-8 with a byte order mark, one row per text, every cell
quoted. Texts that a spreadsheet would interpret as formulas are prefixed with an apostrophe, which is removed on
reading. A judge enters "valid" or "invalid" (or v, i, yes, no, y, n, 1, 0) in the verdict column, or leaves it empty;
valid means that the label still holds for the perturbed text. Rows cycle through operators and languages, so judging
can stop at any row.
"""

import csv
import dataclasses
import io
import itertools
import json
import pathlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from itt_jax.errors import InputError
from itt_jax.perturb.catalog import CATALOG, get
from itt_jax.perturb.engine import LexiconFile, check_operator, check_severity, variants
from itt_jax.perturb.filter import opened
from itt_jax.perturb.noise import hash_strings
from itt_jax.reading.quoting import check_names, takes_in_rows
from itt_jax.reading.text import read_text

VALID, INVALID = ("valid", "v", "yes", "y", "1"), ("invalid", "i", "no", "n", "0")
FORMULA = tuple("=+-@\t\r\n＝＋－＠'")  # first characters of formulas, and the apostrophe that escapes them
LOT = 32  # texts perturbed at a time, until enough have changed
NAMED = 5  # invalid verdicts listed in an error


@dataclasses.dataclass(frozen=True)
class Texts:
    """n items in one language.

    Attributes:
        fields: field -> n texts.
        labels: n labels, worded for the judge.
        edited: the fields to perturb.
        editable: field -> n masks, as in `variants`, for fields with protected spans.
    """

    language: str
    ids: Sequence[str]
    fields: Mapping[str, Sequence[str]]
    labels: Sequence[str]
    edited: Sequence[str]
    editable: Mapping[str, Sequence[np.ndarray]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Line:
    """One row of a sheet, with its columns as fields; `verdict` is "valid", "invalid" or ""."""

    item: str
    language: str
    operator: str
    severity: float
    label: str
    clean: str
    perturbed: str
    verdict: str = ""


COLUMNS = tuple(field.name for field in dataclasses.fields(Line))


def sampled(
    texts: Sequence[Texts],
    names: Sequence[str],
    severity: float,
    rows: int,
    seed: int = 0,
    lexicon: LexiconFile = None,
) -> list[Line]:
    """Samples changed texts, cycling through operators and, for each operator, through languages.

    The perturbed texts equal those of a study with noise seed `seed` at replicate 0. Operators are skipped in
    languages for which they have no table, unless they read the lexicon.

    Args:
        names: operators; empty for all that have a table or a lexicon.
        rows: maximum number of lines.

    Raises:
        InputError: an operator is unknown, the severity is out of range, `rows` is below 1, or nothing can be sampled.
    """
    check_severity(severity)
    if rows < 1:
        raise InputError(f"rows: found {rows}, expected at least 1")
    chosen = [get(name) for name in dict.fromkeys(names or CATALOG)]
    if lexicon is not None and not any(operator.lexicon for operator in chosen):
        raise InputError("a lexicon is given, but none of the perturbations uses one")
    turns = []
    for operator in chosen:
        given = lexicon if operator.lexicon else None
        own = [one for one in texts if given is not None or one.language in operator.languages]
        for one in own or (texts if names else ()):
            check_operator(operator.name, one.language, given)
        made = {
            f"{operator.name} {one.language}": changed_lines(one, operator.name, severity, seed, given) for one in own
        }
        turns.append(in_turn([made[key] for key in shuffled(made, seed)]))
    found = list(itertools.islice(in_turn([turns[k] for k in shuffled(range(len(turns)), seed)]), rows))
    if not found:
        raise InputError("nothing to judge: no operator changes any text in these languages at this severity")
    return found


def shuffled(things: Iterable[Any], seed: int) -> list[Any]:
    """The things in an order determined by hashes of seed and thing."""
    things = list(things)
    return [things[k] for k in np.argsort(hash_strings([f"{seed} {thing}" for thing in things])).tolist()]


def in_turn(iterators: Sequence[Iterator[Line]]) -> Iterator[Line]:
    """Cycles through the iterators, one line each, until all are exhausted."""
    left = list(iterators)
    while left:
        for iterator in tuple(left):
            line = next(iterator, None)
            if line is None:
                left.remove(iterator)
            else:
                yield line


def changed_lines(texts: Texts, name: str, severity: float, seed: int, lexicon: LexiconFile) -> Iterator[Line]:
    """The items that the operator changes, in an order by hash of item id, which is the same in every language."""
    order = np.argsort(hash_strings([f"{seed} {name} {item}" for item in texts.ids])).tolist()
    for lot in (order[first : first + LOT] for first in range(0, len(order), LOT)):
        made = {field: [texts.fields[field][k] for k in lot] for field in texts.fields}
        changed = np.zeros(len(lot), bool)
        for field in texts.edited:
            masks = texts.editable.get(field)
            (result,) = variants(
                made[field],
                name,
                [severity],
                texts.language,
                seed,
                ids=[texts.ids[k] for k in lot],
                field=field,
                editable=None if masks is None else [masks[k] for k in lot],
                lexicon=lexicon,
            )
            made[field] = result.texts
            changed |= result.changed
        for place in np.flatnonzero(changed).tolist():
            k = lot[place]
            clean = together({field: texts.fields[field][k] for field in texts.fields})
            perturbed = together({field: made[field][place] for field in texts.fields})
            yield Line(str(texts.ids[k]), texts.language, name, severity, texts.labels[k], clean, perturbed)


def together(fields: dict[str, str]) -> str:
    """The fields of an item as one cell; if there are several, one per line with the field's name."""
    if len(fields) == 1:
        return next(iter(fields.values()))
    return "\n".join(f"{name}: {text}" for name, text in fields.items())


def write_sheet(path: pathlib.Path, make: Callable[[], list[Line]]) -> list[Line]:
    """Writes the lines returned by `make` to a file, completely or not at all.

    Raises:
        InputError: the file already contains verdicts, is not a sheet, or cannot be written.
    """
    if path.exists():
        judged = sum(line.verdict != "" for line in read_sheet(path))
        if judged:
            raise InputError(f"{path}: contains {judged} verdicts; choose another file")
    lines = make()
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(COLUMNS)
    for line in lines:
        cells = dataclasses.asdict(line) | {"severity": f"{line.severity:g}"}
        writer.writerow([guarded(cell) for cell in cells.values()])
    with opened(path, sys.stdout.buffer, "wb") as file:
        file.write(text.getvalue().encode("utf-8-sig"))
    return lines


def guarded(cell: str) -> str:
    """The cell, prefixed with an apostrophe if a spreadsheet might interpret it as a formula."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell


def unguarded(cell: str) -> str:
    """The inverse of `guarded`."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA) else cell


def read_sheet(path: pathlib.Path) -> list[Line]:
    """Reads a sheet, including one that a spreadsheet saved with semicolons or tabs as delimiters.

    Raises:
        InputError: the file is missing or not a sheet, or verdicts, whose lines are named, are invalid.
    """
    try:
        text = read_text(path)
    except InputError as error:
        raise InputError(f"{error}; expected a sheet saved as CSV UTF-8") from error
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    limit = csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        header_names = reader.fieldnames or ()
        missing = [name for name in COLUMNS if name not in header_names]
        if missing:
            raise InputError(f"{path}: not a sheet: missing column {', '.join(missing)}")
        check_names(header_names, f"{path}, line 1")
        lines: list[Line] = []
        wrong: list[str] = []
        begin = reader.line_num + 1
        for row in reader:
            if any(row.pop(None, ())):
                raise InputError(f"{path}, line {begin}: more cells than the header")
            values = [cell or "" for cell in row.values()]
            if any(takes_in_rows(values, i, delimiter) for i in range(len(values))):
                raise InputError(
                    f"{path}, line {begin}: a quoted value goes on to line {reader.line_num}, and its lines look like "
                    "rows; close its quotation mark"
                )
            lines.append(parsed(path, row, begin, wrong))
            begin = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"{path}, line {begin}: {error}") from error
    finally:
        csv.field_size_limit(limit)
    if wrong:
        more = f" and {len(wrong) - NAMED} more" if len(wrong) > NAMED else ""
        raise InputError(f"{path}: verdicts must be valid, invalid or empty; found {', '.join(wrong[:NAMED])}{more}")
    return lines


def parsed(path: pathlib.Path, row: dict[str, str | None], line: int, wrong: list[str]) -> Line:
    """Parses a row; appends an invalid verdict and its line number to `wrong`."""
    cells = {name: unguarded(cell) for name in COLUMNS if (cell := row[name]) is not None}
    if len(cells) < len(COLUMNS):
        raise InputError(f"{path}, line {line}: fewer cells than the header")
    verdict = cells["verdict"].strip().lower()
    if verdict and verdict not in VALID + INVALID:
        wrong.append(f"{cells['verdict']!r} in line {line}")
    try:
        severity = float(cells["severity"].replace(",", "."))
    except ValueError as error:
        raise InputError(f"{path}, line {line}: found severity {cells['severity']!r}, expected a number") from error
    return Line(
        cells["item"],
        cells["language"],
        cells["operator"],
        severity,
        cells["label"],
        cells["clean"],
        cells["perturbed"],
        "valid" if verdict in VALID else "invalid" if verdict in INVALID else "",
    )


@dataclasses.dataclass(frozen=True)
class Count:
    """Verdicts on one operator at one severity, in one language or in all of them ("all").

    Attributes:
        control: whether the operator changes labels, so that few of its texts should be valid.
        rows: number of texts; judged, valid, unjudged: how many of them have or lack a verdict.
        share: valid texts among the judged ones; None if none are judged.
        ci_low, ci_high: its 95 % confidence interval (Wilson).
    """

    operator: str
    severity: float
    language: str
    control: bool
    rows: int
    judged: int
    valid: int
    unjudged: int
    share: float | None
    ci_low: float | None
    ci_high: float | None


def verdict_counts(lines: Sequence[Line]) -> list[Count]:
    """Counts by operator, severity and language; the counts over all languages come first.

    Operators that are not in the catalogue are treated as perturbations.
    """
    groups: dict[tuple[str, float, str], list[str]] = {}
    for line in lines:
        for language in ("all", line.language):
            groups.setdefault((line.operator, line.severity, language), []).append(line.verdict)
    order = sorted(groups, key=lambda key: (key[0], key[1], key[2] != "all", key[2]))
    return [counted(*key, groups[key]) for key in order]


def counted(operator: str, severity: float, language: str, verdicts: list[str]) -> Count:
    """Counts one group of verdicts."""
    from statsmodels.stats.proportion import proportion_confint

    valid, judged = verdicts.count("valid"), len(verdicts) - verdicts.count("")
    share = ci_low = ci_high = None
    if judged:
        share = valid / judged
        ci_low, ci_high = (float(bound) for bound in proportion_confint(valid, judged, method="wilson"))
    control = all(name in CATALOG for name in operator.split("+")) and get(operator).changes_label
    return Count(
        operator,
        severity,
        language,
        control,
        len(verdicts),
        judged,
        valid,
        len(verdicts) - judged,
        share,
        ci_low,
        ci_high,
    )


def counts_json(counts: Sequence[Count]) -> str:
    """The counts as a JSON list of objects."""
    return json.dumps([dataclasses.asdict(one) for one in counts], ensure_ascii=False, indent=1)


def count_lines(counts: Sequence[Count]) -> Iterator[str]:
    """The counts as a plain-text table, with controls marked."""
    heads = f"{'valid':>6}{'judged':>8}{'unjudged':>10}  share [95 % CI]"
    yield f"{'operator':<24}{'severity':>8}  {'language':<9}{heads}"
    for one in counts:
        share = "-" if one.share is None else f"{one.share:.2f} [{one.ci_low:.2f}, {one.ci_high:.2f}]"
        mark = "  (control: may change the label)" if one.control else ""
        numbers = f"{one.valid:>6}{one.judged:>8}{one.unjudged:>10}"
        yield f"{one.operator:<24}{one.severity:>8g}  {one.language:<9}{numbers}  {share}{mark}"
