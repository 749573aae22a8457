"""The sentences that the perturbation bench works on."""

import dataclasses
import itertools
import pathlib

from itt_jax.data.embedded import LANGUAGES as EMBEDDED_LANGUAGES
from itt_jax.data.embedded import parallel
from itt_jax.tasks.catalog import get
from itt_jax.tasks.load import load_rows

LANGUAGES = ("en", "de", "fr", "es", "ru", "ar", "hi", "th", "zh", "vi")


@dataclasses.dataclass(frozen=True)
class Sentences:
    """Sentences by language.

    Attributes:
        name: description of their source.
        sentences: language -> sentences.
    """

    name: str
    sentences: dict[str, list[str]]

    @property
    def count(self) -> int:
        """Number of sentences in all languages."""
        return sum(map(len, self.sentences.values()))

    @property
    def codepoints(self) -> int:
        """Number of codepoints in all languages."""
        return sum(len(text) for texts in self.sentences.values() for text in texts)

    def head(self, languages: list[str], share: float) -> dict[str, list[str]]:
        """The first `share` of the sentences of each given language, and at least one."""
        return {
            language: self.sentences[language][: max(1, round(len(self.sentences[language]) * share))]
            for language in languages
        }


def sentences(data_root: pathlib.Path | None, count: int) -> Sentences:
    """About `count` sentences: XNLI's dev rows in ten languages, or embedded ones in five without a data root."""
    if data_root is None:
        entries = parallel(max(1, count // len(EMBEDDED_LANGUAGES)))
        found = {language: [entry[language] for entry in entries] for language in EMBEDDED_LANGUAGES}
        return Sentences("embedded sentences (no data root was given)", found)
    found = {}
    for language in LANGUAGES:
        rows = load_rows(get("xnli"), "dev", language, data_root)
        texts = itertools.chain.from_iterable(zip(*rows.fields.values(), strict=True))
        found[language] = list(itertools.islice(texts, max(1, count // len(LANGUAGES))))
    return Sentences("XNLI dev, premises and hypotheses", found)
