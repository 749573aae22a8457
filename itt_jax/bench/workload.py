"""What the benches of training and evaluation work on: real tokenizers, real text, encoders of published sizes."""

import dataclasses
import pathlib
import tempfile
from typing import TYPE_CHECKING, Any

from itt_jax.bench import Request
from itt_jax.errors import InputError, unknown

if TYPE_CHECKING:
    from itt_jax.data.rows import Rows
    from itt_jax.data.tokenizing import Tokenizer
    from itt_jax.models import Encoder
    from itt_jax.train.stage import TaskData

# Encoder -> its tokenizer's folder under <data root>/tokenizers.
TOKENIZERS = {"bert": "bert-base-uncased", "roberta": "roberta-base", "xlnet": "xlnet-base-cased"}
SIZES = {
    "base": {"layers": 12, "width": 768, "heads": 12},
    "distil": {"layers": 6, "width": 768, "heads": 12},
    "tiny": {"layers": 2, "width": 128, "heads": 2},
    "toy": {"layers": 1, "width": 16, "heads": 2},
}
EMBEDDED = "embedded"
EMBEDDED_ROWS, EMBEDDED_VOCABULARY = 400, 1000


@dataclasses.dataclass(frozen=True)
class Data:
    """Where rows come from, and how they are trained on.

    Attributes:
        task, split: of the catalogue. max_length: tokens of an example.
        steps: that one measurement makes. accumulate: microbatches of a step, on both sides.
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
class Workload:
    """An encoder with a task's rows as its examples.

    Attributes:
        name: of the data. tokenizer_folder: its files, as transformers reads them too.
    """

    name: str
    data: Data
    encoder: "Encoder"
    tokenizer: "Tokenizer"
    tokenizer_folder: pathlib.Path
    task: "TaskData"
    rows: "Rows"


def names(request: Request, encoders: tuple[str, ...], data: tuple[str, ...], sizes: tuple[str, ...]) -> dict[str, Any]:
    """The encoders, data and sizes that a request asks for, or else those given; without a data root, embedded data.

    Raises:
        InputError: a name that is unknown, or real data without a data root.
    """
    if request.data_root is None:
        if set(request.data) - {EMBEDDED}:
            raise InputError(f"data {', '.join(request.data)}: --data-root is needed")
        data = (EMBEDDED,)
    found = {
        "encoders": request.encoders or encoders,
        "data": request.data or data,
        "sizes": request.sizes or sizes,
    }
    for kind, known in (("encoders", TOKENIZERS), ("data", DATA), ("sizes", SIZES)):
        for name in found[kind]:
            if name not in known:
                raise unknown(kind, name, known)
    return found


def workload(request: Request, family: str, name: str, size: str, split: str | None = None) -> Workload:
    """The examples of data `name` for an encoder of `family` and `size`, tokenised; `split` instead of the data's."""
    from itt_jax.data.examples import prepare
    from itt_jax.data.tokenizing import load_tokenizer
    from itt_jax.models import make_encoder, make_head
    from itt_jax.tasks.catalog import get
    from itt_jax.tasks.load import load_rows
    from itt_jax.train.stage import TaskData

    data = DATA[name]
    rows = load_rows(get(data.task), split or data.split, "en", request.data_root)
    if name == EMBEDDED:
        folder = trained_tokenizer(rows, family)
    else:
        folder = request.data_root / "tokenizers" / TOKENIZERS[family]
    tokenizer = load_tokenizer(folder)
    encoder = make_encoder(
        family,
        vocabulary_size=tokenizer.vocabulary_size,
        max_positions=512,
        pad_id=tokenizer.pad_id,
        **SIZES[size],
    )
    examples = prepare(tokenizer, rows, data.max_length)
    labels = len(get(data.task).labels)
    head = make_head(encoder, "classification", labels)
    task = TaskData(name, head, examples, "classification", labels)
    return Workload(name, data, encoder, tokenizer, folder, task, rows)


def trained_tokenizer(rows: "Rows", family: str) -> pathlib.Path:
    """A folder with a tokenizer trained on the rows, kept until the process ends."""
    from itt_jax.data.tokenizing import train_tokenizer

    texts = [text for field in rows.fields.values() for text in field[:EMBEDDED_ROWS]]
    if family not in _TRAINED:
        _TRAINED[family] = tempfile.TemporaryDirectory()
        train_tokenizer(texts, family, EMBEDDED_VOCABULARY).save(_TRAINED[family].name)
    return pathlib.Path(_TRAINED[family].name)


_TRAINED: dict[str, tempfile.TemporaryDirectory] = {}
