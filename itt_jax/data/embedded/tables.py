"""The tables of the embedded material: qualities, topics, details and sentence frames, with their inflected forms."""

import dataclasses
import functools
import importlib.resources
import re
from collections.abc import Iterator

LANGUAGES = ("en", "de", "es", "fr", "ru")
DOMAINS = ("general", "medical", "legal")
GENDERS = "mfn"


@dataclasses.dataclass(frozen=True)
class Quality:
    """One adjective.

    Attributes:
        quality: the scale it is on.
        side: 1 for the positive end of the scale, 0 for the negative one.
        forms: language -> forms by gender (masculine, feminine, neuter).
    """

    domain: str
    split: str
    quality: str
    side: int
    forms: dict[str, tuple[str, str, str]]


@dataclasses.dataclass(frozen=True)
class Topic:
    """One noun with its article.

    Attributes:
        forms: language -> (nominative, accusative).
        gender: language -> its index in `GENDERS`.
    """

    domain: str
    split: str
    forms: dict[str, tuple[str, str]]
    gender: dict[str, int]


@dataclasses.dataclass(frozen=True)
class Frame:
    """One sentence frame.

    Attributes:
        patterns: language -> `str.format` patterns by the topic's gender.
        slots: names of the slots it uses.
    """

    kind: str
    role: str
    split: str
    patterns: dict[str, tuple[str, ...]]
    slots: frozenset[str]

    def fill(self, language: str, topic: Topic, words: dict[str, Quality], other: Topic, source, circumstance) -> str:
        """The sentence in `language`; `words` fills the quality slots "a" and "b". The first letter is a capital."""
        gender = topic.gender[language]
        nominative, accusative = topic.forms[language]
        sentence = self.patterns[language][gender].format(
            t=nominative,
            T=accusative,
            u=other.forms[language][0],
            U=other.forms[language][1],
            s=source[language],
            c=circumstance[language],
            **{slot: quality.forms[language][gender] for slot, quality in words.items()},
        )
        return sentence[0].upper() + sentence[1:]


def rows_of(name: str) -> Iterator[dict[str, str]]:
    """The lines of a table as dictionaries; lines that start with # are its provenance."""
    text = importlib.resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
    lines = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
    for cells in lines[1:]:
        yield dict(zip(lines[0], cells, strict=True))


def _by_gender(cell: str) -> tuple[str, str, str]:
    """Adjective cell "masculine|feminine" or one form for all; the neuter (Russian) equals the masculine."""
    forms = cell.split("|")
    return (forms[0], forms[-1], forms[0])


@functools.cache
def qualities() -> tuple[Quality, ...]:
    """All adjectives, in the table's order: two positive, then two negative ones for each scale."""
    return tuple(
        Quality(
            domain=row["domain"],
            split=row["split"],
            quality=row["quality"],
            side=int(row["side"] == "positive"),
            forms={language: _by_gender(row[language]) for language in LANGUAGES},
        )
        for row in rows_of("qualities.tsv")
    )


@functools.cache
def topics() -> tuple[Topic, ...]:
    """All topics, in the table's order."""
    found = []
    for row in rows_of("topics.tsv"):
        cells = {language: row[language].split("|") for language in LANGUAGES}
        cells["en"] = [row["en"], row["en"], "n"]
        found.append(
            Topic(
                domain=row["domain"],
                split=row["split"],
                forms={language: (cell[0], cell[1]) for language, cell in cells.items()},
                gender={language: GENDERS.index(cell[2]) for language, cell in cells.items()},
            )
        )
    return tuple(found)


@functools.cache
def details(domain: str, detail: str) -> tuple[dict[str, str], ...]:
    """The sources ("source") or circumstances ("circumstance") that fit a domain: language -> words."""
    return tuple(
        {language: row[language] for language in LANGUAGES}
        for row in rows_of("details.tsv")
        if row["detail"] == detail and row["domain"] in (domain, "any")
    )


@functools.cache
def frames() -> tuple[Frame, ...]:
    """All sentence frames, with the alternatives [masculine|feminine|neuter] resolved."""
    found = []
    for row in rows_of("frames.tsv"):
        patterns = {language: tuple(_agree(row[language], g) for g in range(3)) for language in LANGUAGES}
        slots = frozenset(re.findall(r"\{(\w)\}", row["en"]))
        found.append(Frame(row["kind"], row["role"], row["split"], patterns, slots))
    return tuple(found)


def _agree(pattern: str, gender: int) -> str:
    """`pattern` with each [masculine|feminine|neuter] replaced by the form of `gender` (0, 1, 2)."""

    def form(match: re.Match) -> str:
        forms = match.group(1).split("|")
        return forms[min(gender, len(forms) - 1)]

    return re.sub(r"\[([^\]]*)\]", form, pattern)
