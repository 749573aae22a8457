"""Candidates: what an attack may write. Each kind of candidates makes one unit: words, clusters, single edits or
whole texts.

Word candidates depend on the clean word alone, so that a word is edited at most once and its candidates are the same
in whatever order words are tried.
"""

import dataclasses
import functools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np

from itt_jax.attack.subject import Subject
from itt_jax.errors import InputError
from itt_jax.perturb import Lexicon, get, read_lexicon, tables, variants
from itt_jax.perturb.characters import keyboard_layouts
from itt_jax.perturb.engine import check_operator, check_severity
from itt_jax.perturb.lexical import translations
from itt_jax.perturb.lexicon import shipped
from itt_jax.perturb.rewriting import in_case_of

MOST_UNITS = 256
"""Maximum number of clusters in an alphabet: what a text of ideograms costs in queries has a bound."""


Edit = tuple[int, int, str]
"""Clusters [start, stop) of a text, and the string that replaces them."""


@dataclasses.dataclass(frozen=True)
class Candidates:
    """What an attack may write.

    Attributes:
        makes: "words", "clusters", "edits", "texts" or "tokens"; a search takes one of them.
    """

    makes: ClassVar[str]

    def check(self, language: str) -> None:
        """Raises InputError where there are none in a language."""

    def paths(self, language: str) -> list[str]:
        """Files and folders of the user's that they are taken from."""
        return []

    def options(self, subject: Subject, places: Sequence[int]) -> dict[int, list[str]]:
        """Word -> its candidates, where words are made."""
        raise NotImplementedError

    def texts(self, subject: Subject) -> list[str]:
        """Candidates for the whole text, where texts are made."""
        raise NotImplementedError

    def edits(self, subject: Subject) -> list[list["Edit"]]:
        """Place -> the edits that can be made there, where single edits are made."""
        raise NotImplementedError

    def units(self, subjects: Sequence[Subject]) -> tuple[str, ...]:
        """Clusters that may be written into any of the attacked texts, where clusters are made."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class WordSwaps(Candidates):
    """Other forms of a word, from one or several edits of its characters.

    Attributes:
        edits: names in `WORD_EDITS`; their results are joined without duplicates.
        every: whether each place of a word gives a candidate; otherwise one drawn place gives one.
        inner: whether the first and the last cluster stay.
    """

    makes: ClassVar[str] = "words"
    edits: tuple[str, ...]
    every: bool = False
    inner: bool = False

    def __post_init__(self):
        for name in self.edits:
            if name not in WORD_EDITS:
                raise InputError(f"edits: found {name!r}, expected some of {', '.join(WORD_EDITS)}")

    def check(self, language: str) -> None:
        """See `Candidates.check`."""
        if "keyboard" in self.edits and language not in keyboard_layouts():
            raise InputError(f"candidates 'keyboard': no keyboard for language {language!r}, expected another recipe")

    def options(self, subject: Subject, places: Sequence[int]) -> dict[int, list[str]]:
        """See `Candidates.options`; in the order of `edits` and of the places in the word."""
        return {place: self._of_word(subject, place) for place in places}

    def _of_word(self, subject: Subject, place: int) -> list[str]:
        word = subject.word(place)
        found = {}
        for name in self.edits:
            edit = WORD_EDITS[name]
            places = edit.places(word, self.inner)
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
        name: of the edit, on which draws depend.
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
        forms: the words that it makes of a place.
        last: places that it needs from its own on: 2 where it takes the next cluster along.
        drawn: whether one place may be drawn in place of all.
    """

    forms: Callable[[Spot], Iterator[str]]
    last: int = 1
    drawn: bool = True

    def places(self, word: Sequence[str], inner: bool) -> list[int]:
        """The places of a word; none in a word of one cluster."""
        if len(word) < 2:
            return []
        return list(range(int(inner), len(word) - int(inner) - self.last + 1))


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
    """Letters of a language in the script of a character, lower and upper case; none for one that is no letter.

    They are those of the language's keyboard, or where it has none in that script, those of the Unicode table.
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


@dataclasses.dataclass(frozen=True)
class Alphabet(Candidates):
    """Clusters to write at a place.

    Attributes:
        most: clusters; of more, the most frequent in the attacked texts.
    """

    makes: ClassVar[str] = "clusters"
    most: int = MOST_UNITS

    def units(self, subjects: Sequence[Subject]) -> tuple[str, ...]:
        """The clusters of the attacked texts, sorted by codepoint."""
        counts = Counter(cluster for subject in subjects for cluster in subject.clusters)
        return tuple(sorted(sorted(counts, key=lambda unit: (-counts[unit], unit))[: self.most]))


@dataclasses.dataclass(frozen=True)
class Operators(Candidates):
    """Draws of perturbation operators (`list perturbations`), as whole texts or as words.

    Attributes:
        operators: their names. severity: as in `perturb`. draws: replicates of each.
        lexicon: path of a word list, for operators that read one; may contain {language}.
        makes: "texts": whole texts are perturbed; "words": one word at a time.
    """

    operators: tuple[str, ...] = ("swap", "delete", "substitute", "insert")
    severity: float = 0.2
    draws: int = 8
    lexicon: str | None = None
    makes: str = "texts"

    def __post_init__(self):
        if self.draws < 1 or not self.operators:
            raise InputError(
                f"operators: found {self.draws} draws of {len(self.operators)} operators, expected at least 1"
            )
        check_severity(self.severity)

    def check(self, language: str) -> None:
        """See `Candidates.check`."""
        for name in self.operators:
            if check_operator(name, language, self._lexicon(name, language))[0].changes_label:
                raise InputError(f"operator {name!r} may change the label; expected a perturbation that keeps it")

    def paths(self, language: str) -> list[str]:
        """See `Candidates.paths`."""
        return [path for name in self.operators if (path := self._lexicon(name, language)) is not None]

    def texts(self, subject: Subject) -> list[str]:
        """The distinct perturbed texts, operator by operator."""
        starts = np.repeat(subject.allowed, [len(cluster) for cluster in subject.clusters])
        found = dict.fromkeys(text for (text,) in self._drawn(subject, [starts]))
        found.pop(subject.text, None)
        return list(found)

    def options(self, subject: Subject, places: Sequence[int]) -> dict[int, list[str]]:
        """See `Candidates.options`: the distinct forms that the operators give a word when nothing else may change."""
        lengths = np.array([len(cluster) for cluster in subject.clusters], np.int64)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        masks, bounds = [], []
        for place in places:
            first, stop = offsets[list(subject.words[place])].tolist()
            mask = np.zeros(len(subject.text), bool)
            mask[first:stop] = True
            masks.append(mask)
            bounds.append((first, stop))
        found = {place: {} for place in places}
        for texts in self._drawn(subject, masks) if masks else ():
            for place, (first, stop), text in zip(places, bounds, texts, strict=True):
                tail = subject.text[stop:]
                if text != subject.text and text.startswith(subject.text[:first]) and text.endswith(tail):
                    found[place][text[first : len(text) - len(tail)]] = None
        return {place: list(own) for place, own in found.items()}

    def _drawn(self, subject: Subject, masks: Sequence[np.ndarray]) -> Iterator[list[str]]:
        """For each operator and replicate the texts, one for each mask of editable codepoints."""
        for name in self.operators:
            for own in variants(
                [subject.text] * len(masks),
                name,
                [self.severity],
                subject.language,
                subject.seed,
                ids=[subject.item] * len(masks),
                field=subject.field,
                replicates=range(self.draws),
                editable=masks,
                lexicon=self._lexicon(name, subject.language),
            ):
                yield own.texts

    def _lexicon(self, name: str, language: str) -> str | None:
        return self.lexicon.format(language=language) if self.lexicon and get(name).lexicon else None


@dataclasses.dataclass(frozen=True)
class FromLexicon(Candidates):
    """Words of a lexicon, in the case of the word that they replace.

    Attributes:
        table: built-in lexicon where there is no other: "synonyms", or "translations" into all other languages.
        lexicon: path of a lexicon of the user's (`perturb.read_lexicon`); may contain {language}.
        most: options of a word; the first ones are taken.
    """

    makes: ClassVar[str] = "words"
    table: Literal["synonyms", "translations"]
    lexicon: str | None = None
    most: int = 50

    def check(self, language: str) -> None:
        """See `Candidates.check`."""
        operator = "synonym" if self.table == "synonyms" else "code_mix"
        check_operator(operator, language, self._path(language))

    def paths(self, language: str) -> list[str]:
        """See `Candidates.paths`."""
        return [] if self.lexicon is None else [self._path(language)]

    def options(self, subject: Subject, places: Sequence[int]) -> dict[int, list[str]]:
        """See `Candidates.options`."""
        found = {}
        for place in places:
            word = "".join(subject.word(place))
            options = [in_case_of(word, new) for new in self._of(subject.language).options_of(word)]
            found[place] = [new for new in dict.fromkeys(options) if new != word][: self.most]
        return found

    def _of(self, language: str) -> Lexicon:
        if (path := self._path(language)) is not None:
            return read_lexicon(path)
        return shipped("synonyms", language) if self.table == "synonyms" else translations(language)

    def _path(self, language: str) -> str | None:
        return None if self.lexicon is None else self.lexicon.format(language=language)


@dataclasses.dataclass(frozen=True)
class TokenFlips(Candidates):
    """Other tokens of the model's own vocabulary in the place of one (`attack.gradients`)."""

    makes: ClassVar[str] = "tokens"


@dataclasses.dataclass(frozen=True)
class MaskedLM(Candidates):
    """Words that a masked language model finds likely in the place of a word (`attack.proposer`).

    Attributes:
        proposer: checkpoint directory of the masked LM.
        most: its likeliest tokens at a word, of which whole words are taken.
    """

    makes: ClassVar[str] = "words"
    proposer: str | None = None
    most: int = 48

    def check(self, language: str) -> None:
        """See `Candidates.check`."""
        from itt_jax.attack.proposer import proposer

        if self.proposer is None:
            raise InputError("a recipe whose words come from a masked LM needs --proposer, a checkpoint with its head")
        proposer(self.proposer)

    def paths(self, language: str) -> list[str]:
        """See `Candidates.paths`."""
        return [self.proposer]

    def options(self, subject: Subject, places: Sequence[int]) -> dict[int, list[str]]:
        """See `Candidates.options`."""
        from itt_jax.attack.proposer import proposer

        return proposer(self.proposer).proposals(subject, places, self.most)
