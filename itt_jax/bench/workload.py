"""Examples and encoders for the benches of training and evaluation: real tokenizers, real text, published sizes."""

import dataclasses
import pathlib
import tempfile

from itt_jax.bench import Request
from itt_jax.bench.choices import DATA, EMBEDDED, SIZES, TOKENIZERS, Choice, Data
from itt_jax.data.examples import prepare
from itt_jax.data.rows import Rows
from itt_jax.data.tokenizing import Tokenizer, load_tokenizer, train_tokenizer
from itt_jax.kinds import kind
from itt_jax.models import Encoder, make_encoder, make_head
from itt_jax.tasks.catalog import get
from itt_jax.tasks.load import load_rows
from itt_jax.train.jobs import TaskData

EMBEDDED_ROWS, EMBEDDED_VOCABULARY = 400, 1000


@dataclasses.dataclass(frozen=True)
class Training:
    """An encoder, and examples that it is trained on."""

    data: Data
    encoder: Encoder
    task: TaskData


@dataclasses.dataclass(frozen=True)
class Workload(Training):
    """An encoder, and a task's rows as its examples.

    Attributes:
        name: the data's name.
        tokenizer_folder: the tokenizer's files, which transformers reads too.
    """

    name: str
    tokenizer: Tokenizer
    tokenizer_folder: pathlib.Path
    rows: Rows


def workload(request: Request, choice: Choice, split: str | None = None) -> Workload:
    """Tokenised examples and an encoder; `split` replaces the data's own split."""
    data = DATA[choice.data]
    rows = load_rows(get(data.task), split or data.split, "en", request.data_root)
    if choice.data == EMBEDDED:
        folder = trained_tokenizer(rows, choice.encoder)
    else:
        assert request.data_root is not None  # without one, only the embedded data are chosen
        folder = request.data_root / "tokenizers" / TOKENIZERS[choice.encoder]
    tokenizer = load_tokenizer(folder)
    encoder = make_encoder(
        choice.encoder,
        vocabulary_size=tokenizer.vocabulary_size,
        max_positions=512,
        pad_id=tokenizer.pad_id,
        **SIZES[choice.size],
    )
    examples = prepare(tokenizer, rows, data.max_length)
    labels = len(get(data.task).labels)
    head = make_head(encoder, "classification", labels)
    task = TaskData(choice.data, head, examples, kind("classification"), labels)
    return Workload(data, encoder, task, choice.data, tokenizer, folder, rows)


def trained_tokenizer(rows: Rows, family: str) -> pathlib.Path:
    """A folder with a tokenizer trained on the rows; it is removed when the process ends."""
    texts = [text for field in rows.fields.values() for text in field[:EMBEDDED_ROWS]]
    if family not in _TRAINED:
        _TRAINED[family] = tempfile.TemporaryDirectory()
        train_tokenizer(texts, family, EMBEDDED_VOCABULARY).save(_TRAINED[family].name)
    return pathlib.Path(_TRAINED[family].name)


_TRAINED: dict[str, tempfile.TemporaryDirectory] = {}
