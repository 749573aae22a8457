"""MultiCheckList's published templates: texts with their translations, and when each translation applies."""

import dataclasses
import pathlib
import re

from itt_jax.errors import InputError
from itt_jax.reading.text import read_lines

TESTS = {
    "A is COMP than B. Who is more / less COMP?": "comparison",
    "Intensifiers (very, super, extremely) and reducers (somewhat, kinda, etc)?": "intensifiers",
    "size, shape, age, color": "properties",
    "Profession vs nationality": "profession_nationality",
    "Animal vs Vehicle": "animal_vehicle",
    "Animal vs Vehicle v2": "animal_vehicle_v2",
}
"""The published names of the tests -> ours."""
PROPERTIES = frozenset({"color", "size", "age", "shape", "material"})
SLOT = re.compile(r"\{(?:\w:)?(\w+)(?:\[(\d)\]|\.(\w+))?\}")
"""A slot: {name}, {name[0]}, {p.v1}; {a:name} asks for an English article, which the values already have."""


@dataclasses.dataclass(frozen=True)
class Variant:
    """One translation of a row's text.

    Attributes:
        when: English values for which it applies, in lower case; empty means any.
        alternative: another form of an answer, which is right in another context (Quechua).
    """

    text: str
    when: frozenset[str] = frozenset()
    alternative: str = ""

    def holds(self, words: frozenset[str], prop: str) -> bool:
        """Whether it applies to a case with these English words, in a text about the property `prop`."""
        properties, others = self.when & PROPERTIES, self.when - PROPERTIES
        return (not properties or prop in properties) and (not others or bool(others & words))


@dataclasses.dataclass(frozen=True)
class Row:
    """A line of the templates: an English text and its translations.

    Attributes:
        field: "Context", "Question", "Answer", or the name of a list of values such as "adj".
        variants: language -> usable translations, in order.
    """

    field: str
    english: str
    variants: dict[str, tuple[Variant, ...]]

    def variant(self, language: str, words: frozenset[str], prop: str) -> Variant | None:
        """The translation for a case: the first listed for its values, else the first for any values, else None."""
        fit = [variant for variant in self.variants[language] if variant.holds(words, prop)]
        return next((variant for variant in fit if variant.when), fit[0] if fit else None)


@dataclasses.dataclass(frozen=True)
class Test:
    """One test: contexts, (question, answer) pairs, and lists of values by name."""

    contexts: tuple[Row, ...]
    questions: tuple[tuple[Row, Row], ...]
    values: dict[str, tuple[Row, ...]]


@dataclasses.dataclass(frozen=True)
class Templates:
    """All tests, by our names, and the languages."""

    languages: tuple[str, ...]
    tests: dict[str, Test]


def read_templates(path: pathlib.Path) -> Templates:
    """Read `checklist_templates.tsv`: one column per language, some repeated, each with the values it applies to.

    Translations that cannot be answered are left out: those that lack a slot of the English text (a name, for example)
    or ask for a different slot than the answer's. In the published file these are three Gujarati texts, one Azerbaijani
    and one German.

    Raises:
        InputError: the file is missing or malformed.
    """
    lines = [line.split("\t") for line in read_lines(path)] or [[""]]
    columns = lines[0][1:]
    if lines[0][0] != "Field" or "en" not in columns:
        raise InputError(f"{path}, line 1: expected MultiCheckList's columns: Field, en, ...; found {lines[0][:3]}")
    languages = tuple(dict.fromkeys(name for name in columns if not name.endswith("-placeholders")))
    tests: dict[str, list[Row]] = {}
    name = ""
    for number, (field, *cells) in enumerate(lines[1:], start=2):
        if field == "Name":
            title = "".join(cells[:1])
            if title not in TESTS:
                raise InputError(f"{path}, line {number}: unknown test {title!r}; expected one of {list(TESTS)}")
            name = TESTS[title]
            tests[name] = []
        elif field.strip() and field != "Capability":
            if not name or len(cells) != len(columns):
                raise InputError(
                    f"{path}, line {number}: {len(cells)} columns after the field, expected {len(columns)}"
                )
            tests[name].append(_row(field, columns, cells))
    if lacking := set(TESTS.values()) - set(tests):
        raise InputError(f"{path}: missing tests: {', '.join(sorted(lacking))}")
    return Templates(languages, {name: _test(path, name, rows) for name, rows in tests.items()})


def _row(field: str, columns: list[str], cells: list[str]) -> Row:
    english = cells[columns.index("en")]
    variants: dict[str, list[Variant]] = {}
    for i, language in enumerate(columns):
        if language.endswith("-placeholders"):
            continue
        here = variants.setdefault(language, [])
        listed = cells[i + 1] if columns[i + 1 : i + 2] == [f"{language}-placeholders"] else ""
        if not cells[i].strip() or (field in ("Context", "Question") and not _answerable(cells[i], english)):
            continue
        if field == "Answer":
            here.append(Variant(cells[i].strip(), alternative=listed.strip()))
        else:
            here.append(Variant(cells[i].strip(), frozenset(_items(listed))))
    return Row(field, english.strip(), {language: tuple(found) for language, found in variants.items()})


def _items(listed: str) -> set[str]:
    return {item.strip().casefold() for item in listed.split(",") if item.strip()}


def _answerable(text: str, english: str) -> bool:
    """Whether a translation has the English slots; only names of properties may be written out instead."""
    slots, wanted = (_slots(side) for side in (text, english))
    return slots <= wanted and wanted - slots <= {"p.p1", "p.p2"}


def _slots(text: str) -> set[str]:
    return {f"{name}.{part}" if part else name for name, _, part in SLOT.findall(text)}


def _test(path: pathlib.Path, name: str, rows: list[Row]) -> Test:
    questions = [row for row in rows if row.field == "Question"]
    answers = [row for row in rows if row.field == "Answer"]
    if len(questions) != len(answers):
        raise InputError(f"{path}: test {name} has {len(questions)} questions and {len(answers)} answers")
    values: dict[str, list[Row]] = {}
    for row in rows:
        if row.field not in ("Context", "Question", "Answer"):
            values.setdefault(row.field, []).append(row)
    return Test(
        contexts=tuple(row for row in rows if row.field == "Context"),
        questions=tuple(zip(questions, answers, strict=True)),
        values={field: tuple(found) for field, found in values.items()},
    )
