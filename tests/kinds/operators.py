"""Every operator that needs no file of the user's."""

from itt_jax import perturb
from itt_jax.kinds.forms import CLEAN_FORM, FormKey


def names(language: str) -> list[str]:
    """Operators of the catalogue that a language has."""
    return [name for name, operator in perturb.CATALOG.items() if language in operator.languages]


def every_form(language: str, *severities: float) -> dict[FormKey, None]:
    """Clean text and every operator at some severities, as `row_forms` takes them."""
    return {CLEAN_FORM: None} | {(name, own, 0): None for name in names(language) for own in severities}
