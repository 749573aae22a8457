"""Perturbations: text in, text out, without access to a model or a tokenizer."""

from itt_jax.perturb.align import span_after, span_before
from itt_jax.perturb.catalog import CATALOG, get
from itt_jax.perturb.engine import PerturbedTexts, check_operator, perturb, stream, variants
from itt_jax.perturb.lexicon import Lexicon, read_lexicon
from itt_jax.perturb.operator import LANGUAGES, Operator

__all__ = [
    "CATALOG",
    "LANGUAGES",
    "Lexicon",
    "Operator",
    "PerturbedTexts",
    "check_operator",
    "get",
    "perturb",
    "read_lexicon",
    "span_after",
    "span_before",
    "stream",
    "variants",
]
