"""An operator that repeats the beginning of words."""

from itt_jax.perturb.edits import Edits
from itt_jax.perturb.noise import Noise, under
from itt_jax.perturb.operator import Operator
from itt_jax.perturb.rewriting import added, strings
from itt_jax.perturb.units import Document


def stutter(document: Document, noise: Noise, severity: float) -> Edits:
    """Writes the first grapheme cluster of words twice, with a hyphen between: "p-patient"."""
    first, _ = document.words  # int64 [W]: the cluster where each word begins
    edited = first[under(noise.words, severity) & document.word_allowed]
    new = [f"{cluster}-" for cluster in strings(document, edited, edited + 1)]
    return added(document, edited, new, after=False)


STUTTER = Operator(
    "stutter",
    stutter,
    "word",
    "share of words whose first cluster is written twice",
    "where it was proposed (arXiv number)",
    reversible=True,
)
