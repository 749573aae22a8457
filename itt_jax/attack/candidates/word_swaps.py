"""Other forms of a word, from edits of its characters."""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence

from itt_jax.attack.candidates.base import Candidates
from itt_jax.attack.subject import Subject
from itt_jax.errors import InputError
from itt_jax.perturb import tables
from itt_jax.perturb.characters import keyboard_layouts
from itt_jax.perturb.codepoints import HAN, word_groups

HAN_LANGUAGES = frozenset({"ja", "wuu", "yue", "zh"})
"""Languages in which a Han character, which is a word here, is edited like a letter in others."""


@dataclasses.dataclass(frozen=True)
class WordSwaps(Candidates):
    """Other forms of a word, from one or several edits of its characters.

    A word of one cluster has none, except for a Han character in `HAN_LANGUAGES`. It may be deleted or replaced, or get
    a neighbour, even if `inner` is true; there is nothing to swap it with.

    Attributes:
        edits: names in `WORD_EDITS`; their results are joined without duplicates.
        every: whether each place of a word gives a candidate; otherwise one drawn place gives one.
        inner: whether the first and the last cluster stay unchanged.
    """

    makes = "words"
    edits: tuple[str, ...]
    every: bool = False
    inner: bool = False

    def __post_init__(self):
        for name in self.edits:
            if name not in WORD_EDITS:
                raise InputError(f"edits: found {name!r}, expected some of {', '.join(WORD_EDITS)}")

    def version(self, language: str) -> int:
        """See `Candidates.version`."""
        return 2 if language in HAN_LANGUAGES else 1

    def check(self, language: str) -> None:
        """See `Candidates.check`."""
        if "keyboard" in self.edits and language not in keyboard_layouts():
            words = ", where a character is a word" if language in HAN_LANGUAGES else ""
            raise InputError(
                f"edits of adjacent keys: no keyboard for language {language!r}{words}; expected a recipe "
                "without them, such as deepwordbug"
            )

    def options(self, subject: Subject, places: Sequence[int]) -> dict[int, list[str]]:
        """See `Candidates.options`; in the order of `edits` and of the places in the word."""
        return {place: self._of_word(subject, place) for place in places}

    def _of_word(self, subject: Subject, place: int) -> list[str]:
        word = subject.word(place)
        found: dict[str, None] = {}
        alone = len(word) == 1
        if alone and not _is_han(word[0], subject.language):
            return []
        for name in self.edits:
            edit = WORD_EDITS[name]
            places = edit.places(word, self.inner and not alone)
            if not self.every and edit.drawn and places:
                places = places[(k := subject.draw(len(places), name, place)) : k + 1]
            for where in places:
                for new in edit.forms(Spot(subject, word, place, where, name)):
                    found[new] = None
        found.pop("".join(word), None)
        return list(found)


@dataclasses.dataclass(frozen=True)
class Spot:
    """A place in a word.

    Attributes:
        word: its clusters. place: number of the word. where: number of the cluster.
        name: the edit's name, on which draws depend.
    """

    subject: Subject
    word: tuple[str, ...]
    place: int
    where: int
    name: str

    def spliced(self, stop: int, *new: str) -> str:
        """The word with other clusters in place of where ... stop - 1."""
        return "".join((*self.word[: self.where], *new, *self.word[stop:]))

    def letter(self) -> str:
        """A drawn letter of the language, in the script of the cluster at this place."""
        near = self.word[min(self.where, len(self.word) - 1)]
        letters = letters_like(near[0], self.subject.language)
        return letters[self.subject.draw(len(letters), self.name, "letter", self.place, self.where)] if letters else ""


@dataclasses.dataclass(frozen=True)
class WordEdit:
    """An edit of one place of a word.

    Attributes:
        forms: the words that it makes from a place.
        last: number of places that it needs, counted from its own: 2 if it uses the next cluster too.
        drawn: whether one place may be drawn instead of using all.
    """

    forms: Callable[[Spot], Iterator[str]]
    last: int = 1
    drawn: bool = True

    def places(self, word: Sequence[str], inner: bool) -> list[int]:
        """The places of a word."""
        return list(range(int(inner), len(word) - int(inner) - self.last + 1))


def _is_han(cluster: str, language: str) -> bool:
    """Whether a cluster is a Han character, in a language that is written with them."""
    return language in HAN_LANGUAGES and int(word_groups()[ord(cluster[0])]) == HAN


def _swap(spot: Spot) -> Iterator[str]:
    yield spot.spliced(spot.where + 2, spot.word[spot.where + 1], spot.word[spot.where])


def _substitute(spot: Spot) -> Iterator[str]:
    if letter := spot.letter():
        yield spot.spliced(spot.where + 1, letter)


def _delete(spot: Spot) -> Iterator[str]:
    yield spot.spliced(spot.where + 1)


def _insert(spot: Spot) -> Iterator[str]:
    if letter := spot.letter():
        yield spot.spliced(spot.where, letter)


def _space(spot: Spot) -> Iterator[str]:
    yield spot.spliced(spot.where, " ")


def _keyboard(spot: Spot) -> Iterator[str]:
    return _of_table(spot, keyboard_layouts()[spot.subject.language]["beside"])


def _homoglyph(spot: Spot) -> Iterator[str]:
    return _of_table(spot, look_alikes())


def _of_table(spot: Spot, table: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Replaces the first codepoint of a cluster by each of its options; combining marks stay."""
    cluster = spot.word[spot.where]
    for option in table.get(cluster[0], ()):
        yield spot.spliced(spot.where + 1, option + cluster[1:])


@functools.cache
def look_alikes() -> dict[str, str]:
    """Letter -> letters of other scripts that look like it."""
    return tables.read("homoglyphs")["alike"]


WORD_EDITS: dict[str, WordEdit] = {
    "swap": WordEdit(_swap, last=2),
    "substitute": WordEdit(_substitute),
    "delete": WordEdit(_delete),
    "insert": WordEdit(_insert),
    "space": WordEdit(_space),
    "keyboard": WordEdit(_keyboard),
    "homoglyph": WordEdit(_homoglyph, drawn=False),
}
"""Edits of the characters of words; a new one is a function and a line here."""


@functools.cache
def letters_like(character: str, language: str) -> str:
    """Letters of a language in the script of a character, lower and upper case; empty for a character that is not a
    letter.

    They come from the language's keyboard or, if it has none in that script, from the Unicode table.
    """
    scripts = tables.property_of("scripts")
    script = int(scripts[ord(character)])
    if not script:
        return ""
    layout = keyboard_layouts().get(language)
    found = [c for c in (layout["beside"] if layout else "") if scripts[ord(c)] == script]
    if not found:
        name = tables.unicode_table()["script_names"][script - 1]
        found = list(tables.unicode_table()["letters"]["Han ja" if (name, language) == ("Han", "ja") else name])
        upper = tables.mapping("lower_upper")
        found += [chr(upper[ord(c)]) for c in found if upper[ord(c)]]
    return "".join(found)
