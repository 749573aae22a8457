"""Encoders, data and sizes that the benches of training and evaluation can be asked for."""

import dataclasses
import itertools

from itt_jax.bench import Request
from itt_jax.errors import InputError, unknown

# Family -> folder of a published tokenizer under <data root>/tokenizers.
TOKENIZERS = {"bert": "bert-base-uncased", "roberta": "roberta-base", "xlnet": "xlnet-base-cased"}
SIZES = {
    "base": {"layers": 12, "width": 768, "heads": 12},
    "distil": {"layers": 6, "width": 768, "heads": 12},
    "small": {"layers": 12, "width": 384, "heads": 6},
    "tiny": {"layers": 2, "width": 128, "heads": 2},
    "toy": {"layers": 1, "width": 16, "heads": 2},
}
EMBEDDED = "embedded"


@dataclasses.dataclass(frozen=True)
class Data:
    """Rows of a catalogued task, and how they are trained on.

    Attributes:
        task, split: where the rows come from.
        max_length: maximum number of tokens in an example.
        steps: number of training steps in one measurement.
        accumulate: number of microbatches in a step, for us and for the peer.
    """

    task: str
    split: str
    max_length: int = 128
    steps: int = 2
    accumulate: int = 1


DATA = {
    "sst2": Data("sst2", "train"),
    "xnli": Data("xnli", "dev"),
    "reviews": Data("imdb", "train", max_length=512, steps=1, accumulate=4),
    EMBEDDED: Data("embedded_inference_general", "train"),
}


@dataclasses.dataclass(frozen=True)
class Choice:
    """One encoder on one data set.

    Attributes:
        encoder: family of the encoder, a key of `TOKENIZERS`.
        size: a key of `SIZES`.
        data: a key of `DATA`.
    """

    encoder: str
    size: str
    data: str

    def __str__(self) -> str:
        return f"{self.encoder} {self.size} on {self.data}"

    def columns(self) -> dict[str, str]:
        """The first columns of a row of figures."""
        return dataclasses.asdict(self)


def choices(request: Request, encoders: tuple[str, ...], data: tuple[str, ...], sizes: tuple[str, ...]) -> list[Choice]:
    """Every combination of the requested encoders, sizes and data, or of the given defaults if none is requested.

    Without a data root the data is the embedded material.

    Raises:
        InputError: a name is unknown, or real data is requested without a data root.
    """
    if request.data_root is None:
        if set(request.data) - {EMBEDDED}:
            raise InputError(f"data {', '.join(request.data)}: --data-root is needed")
        data = (EMBEDDED,)
    chosen = (
        ("encoders", request.encoders or encoders, TOKENIZERS),
        ("sizes", request.sizes or sizes, SIZES),
        ("data", request.data or data, DATA),
    )
    for field, names, known in chosen:
        for name in names:
            if name not in known:
                raise unknown(field, name, known)
    return [Choice(*names) for names in itertools.product(*(names for _, names, _ in chosen))]
