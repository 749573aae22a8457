"""Words and phrases of a lexicon: synonyms or translations."""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Literal

import numpy as np

from itt_jax.attack.candidates.base import Candidates
from itt_jax.attack.subject import Subject
from itt_jax.perturb import Lexicon, read_lexicon
from itt_jax.perturb.engine import check_operator
from itt_jax.perturb.lexical import translations
from itt_jax.perturb.lexicon import shipped
from itt_jax.perturb.rewriting import find, in_case_of
from itt_jax.perturb.text import from_strings
from itt_jax.perturb.units import Document

IN_PARTS = frozenset({"ja", "km", "lo", "my", "th", "vi", "wuu", "yue", "zh"})
"""Languages written without spaces, or with spaces between syllables: a dictionary's word may be several words here, or
begin within one. In other languages no phrases are replaced, as in the references."""


@dataclasses.dataclass(frozen=True)
class FromLexicon(Candidates):
    """Words of a lexicon, in the case of the word that they replace.

    In languages of `IN_PARTS`, words are the lexicon's, found from left to right, the longest first, as operators find
    them (`perturb.rewriting.find`).

    Attributes:
        table: built-in lexicon, used if there is no other: "synonyms", or "translations" into all other languages.
        lexicon: path of the user's lexicon (`perturb.read_lexicon`); may contain {language}.
        most: maximum number of options of a word; the first are taken.
    """

    makes = "words"
    table: Literal["synonyms", "translations"]
    lexicon: str | None = None
    most: int = 50

    def check(self, language: str) -> None:
        """See `Candidates.check`."""
        operator = "synonym" if self.table == "synonyms" else "code_mix"
        check_operator(operator, language, self._path(language))

    def paths(self, language: str) -> list[str]:
        """See `Candidates.paths`."""
        return [] if (path := self._path(language)) is None else [path]

    def version(self, language: str) -> int:
        """See `Candidates.version`."""
        return 2 if language in IN_PARTS else 1

    def cut(self, subject: Subject) -> Subject:
        """See `Candidates.cut`."""
        if subject.language not in IN_PARTS:
            return subject
        editable = np.repeat(subject.allowed, [len(cluster) for cluster in subject.clusters])
        document = Document(from_strings([subject.text]), editable, subject.language)
        matches = find(document, self._of(subject.language))
        inside, bounds = np.zeros(len(subject.clusters), bool), set[int]()
        for first, stop in (*subject.words, *zip(matches.first.tolist(), matches.stop.tolist(), strict=True)):
            inside[first:stop] = True
            bounds = bounds.difference(range(first, stop)) | {first, stop}
        words = tuple((first, stop) for first, stop in itertools.pairwise(sorted(bounds)) if inside[first])
        return dataclasses.replace(subject, words=words)

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
        return None if self.lexicon is None else self.lexicon.replace("{language}", language)
