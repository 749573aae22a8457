"""One class for a text or a pair of texts."""

from itt_jax.kinds.kind import Kind


class Classification(Kind):
    """Labels are class indices int32 [n], predictions likewise."""

    name = "classification"
    summary = "one class for a text or a pair of texts"
    head = "classification"
    token_noise = True
