"""Candidates: the edits that attacks may try; one file for each kind."""

from itt_jax.attack.candidates.alphabet import Alphabet
from itt_jax.attack.candidates.base import Candidates, Edit
from itt_jax.attack.candidates.from_lexicon import FromLexicon
from itt_jax.attack.candidates.from_models import MaskedLM, TokenFlips
from itt_jax.attack.candidates.imperceptible import Imperceptible
from itt_jax.attack.candidates.operators import Operators
from itt_jax.attack.candidates.triggers import Triggers
from itt_jax.attack.candidates.word_swaps import WordSwaps, letters_like

__all__ = [
    "Alphabet",
    "Candidates",
    "Edit",
    "FromLexicon",
    "Imperceptible",
    "MaskedLM",
    "Operators",
    "TokenFlips",
    "Triggers",
    "WordSwaps",
    "letters_like",
]
