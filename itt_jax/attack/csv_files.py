"""Results as CSV in TextAttack's columns (`CSVLogger`), written and read.

Texts of several fields are written as TextAttack does, one line for each: "Premise: ...". TextAttack marks changed
words as [[word]] and field names as [[[[Premise]]]]; these marks are removed on reading, except in files with our
further columns, which have no marks.
"""

import csv
import io
import pathlib
import re
from collections.abc import Sequence

from itt_jax import files
from itt_jax.attack.constraints import edit_distance
from itt_jax.attack.outcomes import Outcome
from itt_jax.attack.subject import clusters_of, words_of
from itt_jax.errors import InputError
from itt_jax.perturb.sheet import Line, shuffled

COLUMNS = (
    "original_text",
    "perturbed_text",
    "original_score",
    "perturbed_score",
    "original_output",
    "perturbed_output",
    "ground_truth_output",
    "num_queries",
    "result_type",
)
OURS = ("item_id", "language", "field", "edits", "words_changed")
"""Further columns, after TextAttack's."""
TYPES = {"succeeded": "Successful", "failed": "Failed", "skipped": "Skipped"}
RESULTS = {written: own for own, written in TYPES.items()} | {"Maximized": "succeeded"}
MARKS = re.compile(r"\[\[|\]\]")


def write_csv(path: pathlib.Path, outcomes: Sequence[Outcome]) -> None:
    """Write the rows; numbers are unquoted, as TextAttack writes them."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow([*COLUMNS, *OURS])
    for own in outcomes:
        writer.writerow(
            [
                one_text(own.fields),
                one_text(own.fields | {own.field: own.text}),
                own.score_before,
                own.score_after,
                own.prediction_before,
                own.prediction_after,
                own.label,
                own.queries,
                TYPES[own.result],
                *(own.item_id, own.language, own.field, own.edits, own.words_changed),
            ]
        )
    files.write_text(path, text.getvalue())


def one_text(fields: dict[str, str]) -> str:
    """The texts of a row as one."""
    if len(fields) == 1:
        return next(iter(fields.values()))
    return "\n".join(f"{name.capitalize()}: {text}" for name, text in fields.items())


def judged_lines(outcomes: Sequence[Outcome], recipe: str, seed: int = 0) -> list[Line]:
    """The successes as lines of a sheet for human judgement (`perturb.sheet`), in an order drawn by seed and item."""
    lines = [
        Line(
            own.item_id,
            own.language,
            recipe,
            0.0,
            own.label,
            one_text(own.fields),
            one_text(own.fields | {own.field: own.text}),
        )
        for own in outcomes
        if own.result == "succeeded"
    ]
    by_item = {f"{line.item} {line.language}": line for line in lines}
    return [by_item[key] for key in shuffled(by_item, seed)]


def read_csv(path: pathlib.Path) -> list[Outcome]:
    """The rows of a file that TextAttack or `write_csv` wrote.

    The texts of all fields become one, under the name of the edited field; edits and words are counted again in it.
    Rows of TextAttack's files have their line numbers as ids, no language (""), and the field "text".

    Raises:
        InputError: no such file, not a CSV in UTF-8, or a wrong column or value; the message names the line.
    """
    csv.field_size_limit(1 << 30)  # a text may be longer than 131,072 characters, the default
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            header = reader.fieldnames or ()
            missing = [name for name in COLUMNS if name not in header]
            if missing:
                raise InputError(f"{path}: no column {missing[0]!r}; expected TextAttack's: {', '.join(COLUMNS)}")
            ours = set(OURS) <= set(header)
            return [_row(path, reader.line_num, row, ours, number) for number, row in enumerate(reader, 1)]
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: expected a CSV in UTF-8: {error}") from error


def _row(path: pathlib.Path, line: int, cells: dict[str, str | None], ours: bool, number: int) -> Outcome:
    from rapidfuzz.distance import Levenshtein

    row = {name: cell for name, cell in cells.items() if cell is not None}
    if short := [name for name in cells if name not in row]:
        raise InputError(f"{path}, line {line}: no value in column {short[0]!r}; expected {len(cells)} values")

    def value(name: str) -> float:
        """A column as a number; raises InputError for anything else."""
        try:
            return float(row[name])
        except ValueError:
            raise InputError(f"{path}, line {line}: {name}: found {row[name]!r:.80}, expected a number") from None

    if row["result_type"] not in RESULTS:
        raise InputError(
            f"{path}, line {line}: result_type: found {row['result_type']!r:.80}, expected {', '.join(RESULTS)}"
        )
    queries = value("num_queries")
    if not queries.is_integer():
        raise InputError(f"{path}, line {line}: num_queries: found {row['num_queries']!r:.80}, expected a whole number")
    before, after = (row[name] if ours else MARKS.sub("", row[name]) for name in COLUMNS[:2])
    words, others = words_of([before, after])
    field = row["field"] if ours else "text"
    return Outcome(
        item_id=row["item_id"] if ours else str(number),
        language=row["language"] if ours else "",
        result=RESULTS[row["result_type"]],
        fields={field: before},
        field=field,
        text=after,
        label=row["ground_truth_output"],
        prediction_before=row["original_output"],
        prediction_after=row["perturbed_output"],
        score_before=value("original_score"),
        score_after=value("perturbed_score"),
        queries=int(queries),
        edits=edit_distance(clusters_of(before), after),
        clusters=len(clusters_of(before)),
        words_changed=Levenshtein.distance(words, others),
        words=len(words),
    )
