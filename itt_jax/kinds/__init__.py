"""Kinds of tasks: one file each, in one tuple. A new kind is one class and one line in `KINDS`."""

from itt_jax.errors import unknown
from itt_jax.kinds.classification import Classification
from itt_jax.kinds.kind import Kind
from itt_jax.kinds.multilabel import Multilabel
from itt_jax.kinds.multiple_choice import MultipleChoice
from itt_jax.kinds.question_answering import QuestionAnswering
from itt_jax.kinds.regression import Regression
from itt_jax.kinds.retrieval import Retrieval
from itt_jax.kinds.token_classification import TokenClassification

KINDS: tuple[Kind, ...] = (
    Classification(),
    Multilabel(),
    Regression(),
    TokenClassification(),
    MultipleChoice(),
    QuestionAnswering(),
    Retrieval(),
)


def kind(name: str) -> Kind:
    """The kind of that name.

    Raises:
        InputError: there is none; the message names the nearest.
    """
    found = next((own for own in KINDS if own.name == name), None)
    if found is None:
        raise unknown("kind of task", name, [own.name for own in KINDS])
    return found


__all__ = ["KINDS", "Kind", "kind"]
