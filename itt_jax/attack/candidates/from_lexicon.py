"""Words of a lexicon: synonyms or translations."""

import dataclasses
from collections.abc import Sequence
from typing import Literal

from itt_jax.attack.candidates.base import Candidates
from itt_jax.attack.subject import Subject
from itt_jax.perturb import Lexicon, read_lexicon
from itt_jax.perturb.engine import check_operator
from itt_jax.perturb.lexical import translations
from itt_jax.perturb.lexicon import shipped
from itt_jax.perturb.rewriting import in_case_of


@dataclasses.dataclass(frozen=True)
class FromLexicon(Candidates):
    """Words of a lexicon, in the case of the word that they replace.

    Attributes:
        table: built-in lexicon where there is no other: "synonyms", or "translations" into all other languages.
        lexicon: path of a lexicon of the user's (`perturb.read_lexicon`); may contain {language}.
        most: options of a word; the first ones are taken.
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
