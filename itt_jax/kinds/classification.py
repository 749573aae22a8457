"""One class for a text or a pair of texts."""

from itt_jax.kinds.kind import Kind


class Classification(Kind):
    """Labels and predictions are class indices int32 [n]."""

    name = "classification"
    summary = "one class for a text or a pair of texts"
    head = "classification"
    token_noise = True
    table_metric = "accuracy"
