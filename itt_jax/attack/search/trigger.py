"""Universal triggers (Wallace et al. 2019, arXiv 1908.07125): the same words before every text of a class."""

import dataclasses
from typing import ClassVar

from itt_jax.attack.attack import Asking, Case, Search


@dataclasses.dataclass(frozen=True)
class Prefix(Search):
    """One text: the trigger of the label's class, a space and the clean text."""

    takes: ClassVar[str] = "triggers"
    kinds: ClassVar[tuple[str, ...]] = ("classification",)

    def expected_queries(self, words: float, clusters: float) -> float:
        """See `Search.expected_queries`."""
        return 1

    def run(self, case: Case) -> Asking:
        """See `Search.run`."""
        text = f"{case.units[int(case.subject.label)]} {case.subject.text}"
        if text.startswith(" ") or not case.allows(text):
            return case.subject.text
        yield [text]
        return text
