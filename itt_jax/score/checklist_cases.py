"""Cases of MultiCheckList: their values, which are the same in every language, and their texts in one language."""

import dataclasses
import functools
import hashlib
import importlib.resources
import re
from collections.abc import Iterator

from itt_jax.errors import InputError
from itt_jax.score.checklist_templates import SLOT, Row, Templates, Test

_PARTS = re.compile(r"\s*[,،，、၊]\s*")
_NAME_SLOTS = ("first_name", "first_name1", "first_name2")
# Tests whose translations are inflected for a man's name; the two professions of women take women's names.
_MALE_ONLY = frozenset({"comparison", "intensifiers", "profession_nationality"})
_WOMENS_PROFESSIONS = frozenset({"an actress", "a waitress"})
_SENTENCE_START = re.compile(r"(?:^|[.!?])\s*$")


@dataclasses.dataclass(frozen=True)
class Case:
    """The values of one case, independent of language.

    Attributes:
        number: position in the test's sequence of cases.
        values: slot -> row of the templates ("adj", "s", "obj", "p.v1", "animal", ...).
        names: slot -> position in the list of first names.
        gender: list of first names that is used; "any" for both.
    """

    test: str
    number: int
    values: dict[str, Row]
    names: dict[str, int]
    gender: str

    @functools.cached_property
    def words(self) -> frozenset[str]:
        """The English values with and without article, in lower case, by which translations are chosen."""
        parts = [part for row in self.values.values() for part in _PARTS.split(row.english)]
        return frozenset(word.casefold() for part in parts for word in (part, part.split(" ")[-1]))


def cases(templates: Templates, test: str, seed: int) -> Iterator[Case]:
    """The endless sequence of a test's cases; each draw depends only on (seed, test, number, slot)."""
    content = templates.tests[test]
    number = 0
    while True:
        draw = functools.partial(_draw, seed, test, number)
        values = _values(templates, test, content, draw)
        gender = "any"
        if test in _MALE_ONLY:
            woman = "profession" in values and values["profession"].english in _WOMENS_PROFESSIONS
            gender = "female" if woman else "male"
        size = len(first_names("en", gender))
        first = draw("first_name", size)
        # The second person is a different one; no text has three.
        second = (first + 1 + draw("second_name", size - 1)) % size
        names = dict(zip(_NAME_SLOTS, (first, second, second), strict=True))
        yield Case(test, number, values, names, gender)
        number += 1


def _values(templates: Templates, test: str, content: Test, draw) -> dict[str, Row]:
    def one(slot: str, rows: tuple[Row, ...]) -> Row:
        return rows[draw(slot, len(rows))]

    if test == "properties":
        properties = content.values["property"]
        first = draw("p1", len(properties))
        second = (first + 1 + draw("p2", len(properties) - 1)) % len(properties)
        p1, p2 = properties[first], properties[second]
        v1, v2 = (one(slot, content.values[row.english]) for slot, row in (("v1", p1), ("v2", p2)))
        return {"obj": one("obj", content.values["obj"]), "p.p1": p1, "p.p2": p2, "p.v1": v1, "p.v2": v2}
    if test.startswith("animal"):
        # The second of these tests uses the values of the first.
        lists = templates.tests["animal_vehicle"].values
        return {slot: one(slot, lists[slot]) for slot in ("animal", "vehicle")}
    slots = {
        "comparison": {"adj": "adj"},
        "intensifiers": {"s": "state", "very": "very", "somewhat": "somewhat"},
        "profession_nationality": {"profession": "profession", "nationality": "nationality"},
    }[test]
    return {slot: one(slot, content.values[field]) for slot, field in slots.items()}


def _draw(seed: int, test: str, number: int, slot: str, size: int) -> int:
    digest = hashlib.blake2b(f"{seed}/{test}/{number}/{slot}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % size


@functools.cache
def first_names(language: str, gender: str) -> tuple[str, ...]:
    """First names in a language's script; `gender` is "male", "female" or "any".

    Raises:
        InputError: the table has no names for the language.
    """
    table = importlib.resources.files("itt_jax.score").joinpath("tables/first_names.tsv").read_text(encoding="utf-8")
    for line in table.splitlines():
        if not line.startswith("#"):
            languages, male, female = line.split("\t")
            if language in languages.split():
                chosen = {"male": male, "female": female, "any": f"{male} {female}"}[gender]
                return tuple(chosen.split())
    raise InputError(f"there are no first names for the language {language!r}")


def render(case: Case, content: Test, language: str) -> list[tuple[str, str, str]] | None:
    """The (context, question, answer) triples of a case: every context with every question.

    None if the templates have no translation that fits the case. Rows without any usable translation are left out of
    the language's cases.
    """
    triples = []
    for context_row in content.contexts:
        if not context_row.variants[language]:
            continue
        context = _text(case, context_row, language)
        if context is None:
            return None
        for question_row, answer_row in content.questions:
            if not question_row.variants[language]:
                continue
            question = _text(case, question_row, language)
            answer = _answer(case, answer_row, context_row, language, context)
            if question is None or answer is None:
                return None
            triples.append((context, question, answer))
    return triples


def _text(case: Case, row: Row, language: str) -> str | None:
    variant = row.variant(language, case.words, _property(case, row))
    return None if variant is None else _fill(case, variant.text, row, language)


def _answer(case: Case, row: Row, context_row: Row, language: str, context: str) -> str | None:
    variant = row.variants[language][0]
    answer = _fill(case, variant.text, row, language)
    if variant.alternative and answer is not None and answer not in context:
        return _fill(case, variant.alternative, row, language)
    return answer


def _property(case: Case, row: Row) -> str:
    """The English name of a text's property; for a context, that of the first."""
    second = "p.p2" in row.english
    return case.values["p.p2" if second else "p.p1"].english if "obj" in case.values else ""


def _fill(case: Case, text: str, row: Row, language: str) -> str | None:
    # Values whose form depends on their position are listed with the English templates that contain them; the lists
    # write {animal} for every answer.
    where = {row.english.casefold()} | ({"{animal}"} if row.field == "Answer" else set())
    filled, end = [], 0
    for found in SLOT.finditer(text):
        value = _value(case, found, case.words | where, language)
        if value is None:
            return None
        if found[1] == "obj" and _SENTENCE_START.search(text[: found.start()]):
            # Title case does not change scripts without capitals.
            value = value[:1].title() + value[1:]
        filled += [text[end : found.start()], value]
        end = found.end()
    return "".join([*filled, text[end:]])


def _value(case: Case, found: re.Match, words: frozenset[str], language: str) -> str | None:
    name, index, part = found.groups()
    if name in case.names:
        return first_names(language, case.gender)[case.names[name]]
    row = case.values[f"{name}.{part}" if part else name]
    variant = row.variant(language, words, "")
    if variant is None or index is None:
        return None if variant is None else variant.text
    parts = _PARTS.split(variant.text)
    # Thai separates the forms with a space.
    parts = variant.text.split() if len(parts) == 1 else parts
    return parts[int(index)] if int(index) < len(parts) else None
