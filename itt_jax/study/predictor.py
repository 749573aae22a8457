"""A checkpoint ready to predict a task: its head fits, and its outputs are in the order of the task's labels."""

import dataclasses
import pathlib
from typing import Any

import jax

from itt_jax import kinds
from itt_jax.data.contamination import Digests
from itt_jax.data.fit import check_tokenizer
from itt_jax.data.tokenizing import Tokenizer, load_tokenizer
from itt_jax.errors import InputError
from itt_jax.models import Encoder, Head, from_pretrained, load_model
from itt_jax.models.checkpoint_files import CONFIG, read_json
from itt_jax.models.embedder import Embedder, read_sentence_model
from itt_jax.models.label_names import read_outputs
from itt_jax.models.sentence_modules import read_params
from itt_jax.tasks import Task
from itt_jax.tasks.label_names import output_order
from itt_jax.train.checkpoint import is_ours, load_checkpoint, load_seen, saved_outputs
from itt_jax.train.precision import Arithmetic, computing_in
from itt_jax.train.vectors import xtreme_embedder


@dataclasses.dataclass(frozen=True)
class Predictor:
    """A model for one task.

    Attributes:
        head: None if texts are compared by the encoder's vectors.
        params: {"encoder"}, and "head" if there is one, or otherwise the embedder's "modules"; numpy arrays.
        seen: digests of the text that it was trained on.
        embedder: how the encoder gives vectors if it predicts without a head.
        max_length: maximum tokens of a text, if the checkpoint states it.
        chosen: how it is read, if neither as its files say nor as in XTREME: part of the ids of its cells.
        note: how it is read, for readers of the results.
        unnamed: its outputs have no names and are read in the order of the task's labels.
    """

    encoder: Encoder
    head: Head | None
    params: dict
    tokenizer: Tokenizer
    seen: Digests
    embedder: Embedder | None = None
    max_length: int | None = None
    chosen: tuple[Any, ...] = ()
    note: str = ""
    unnamed: bool = False

    def computing_in(self, arithmetic: Arithmetic) -> "Predictor":
        """The same model in another arithmetic."""
        head = None if self.head is None else computing_in(self.head, arithmetic)
        return dataclasses.replace(self, encoder=computing_in(self.encoder, arithmetic), head=head)


def load_predictor(
    folder: pathlib.Path,
    task: Task,
    labels: str | None = None,
    pooling: str | None = None,
    prefix: str | None = None,
) -> Predictor:
    """The model in a checkpoint directory, ours or Hugging Face's.

    An encoder without a head for the task compares vectors of texts if the task's kind allows it.

    Args:
        labels: which output is which label (`tasks.label_names.output_order`); None if the names say so.
        pooling, prefix: how vectors are made (`Embedder`); None: as the files of sentence-transformers say, otherwise
            as in XTREME.

    Raises:
        InputError: no such checkpoint, a tokenizer or head that does not fit, labels that are not the task's, or a
            choice that does not apply.
    """
    if not folder.is_dir():
        raise InputError(f"--checkpoint {folder}: no such directory")
    kind = kinds.kind(task.kind)
    if labels is not None and not kind.named_outputs:
        raise InputError(f"--labels: outputs for {task.kind} have no labels; expected none for task {task.name!r}")
    found, names = _load(folder, kind.by_vectors)
    compares = not kind.needs_head(task) and _has_no_head(found, kind)
    fields = 2 if kind.reads_pairs(task) and not compares else 1
    check_tokenizer(found.tokenizer, found.encoder.config, f"--checkpoint {folder}", fields)
    if compares:
        return _comparing(found, folder, pooling, prefix)
    for option, given in (("--pooling", pooling), ("--prefix", prefix)):
        if given is not None:
            raise InputError(f"{option}: expected an encoder that compares texts; {task.name!r} is predicted by a head")
    if kind.by_vectors:
        return found
    if found.head is None:
        raise InputError(
            f"--checkpoint {folder}: holds an encoder without a head, which {task.name!r} needs; fine-tune it first"
        )
    outputs = kind.outputs(task)
    if (found.head.kind.name, found.head.outputs) != (kind.head, outputs):
        own, expected = (f" ({', '.join(side)})" if names else "" for side in (names or (), task.labels))
        raise InputError(
            f"--checkpoint {folder}: its head is {found.head.kind.name} with {found.head.outputs} outputs{own}, "
            f"expected {kind.head} with {outputs}{expected} for task {task.name!r}"
        )
    return _in_order(found, task, names, labels) if kind.named_outputs else found


def head_outputs(folder: pathlib.Path) -> tuple[int, tuple[str, ...] | None]:
    """The number of outputs that a checkpoint's config gives its head, and their names, if it has any.

    Raises:
        InputError: no such checkpoint.
    """
    if not folder.is_dir():
        raise InputError(f"--checkpoint {folder}: no such directory")
    if is_ours(folder):
        return saved_outputs(folder)
    return read_outputs(read_json(folder / CONFIG), str(folder / CONFIG))


def _has_no_head(found: Predictor, kind: kinds.Kind) -> bool:
    """Whether a model's head, if any, does not predict tasks of a kind that can do without one."""
    if found.head is None or found.head.kind.language:
        return True
    return kind.by_vectors and found.head.kind.name != kind.head


def _comparing(found: Predictor, folder: pathlib.Path, pooling: str | None, prefix: str | None) -> Predictor:
    """The model without its head, comparing vectors of texts."""
    default, sentence = xtreme_embedder(found.encoder), read_sentence_model(folder, pooling, prefix)
    embedder = sentence.embedder if sentence else dataclasses.replace(default, prefix=prefix or "")
    embedder = embedder if pooling is None else embedder.pooled_by(pooling)
    embedder = embedder.of(found.encoder.config.layers)
    return dataclasses.replace(
        found,
        head=None,
        params={
            "encoder": found.params["encoder"],
            "modules": read_params(folder, embedder.modules, found.encoder.width),
        },
        embedder=embedder,
        max_length=sentence.max_length if sentence else None,
        chosen=() if embedder == default else ("embedder", embedder),
        note=f"Texts are compared by vectors: {embedder}.",
    )


def _load(folder: pathlib.Path, bare: bool) -> tuple[Predictor, tuple[str, ...] | None]:
    """The model as it is, and the names of its outputs; if `bare`, the encoder alone of one of Hugging Face's."""
    if not is_ours(folder):
        if bare:
            encoder, params = from_pretrained(folder)
            head, params, names = None, {"encoder": params}, None
        else:
            encoder, head, params, names = load_model(folder)
        # On the host: the predicting code copies them to its devices.
        return Predictor(encoder, head, jax.device_get(params), load_tokenizer(folder), load_seen(folder)), names
    saved = load_checkpoint(folder)
    if saved.tokenizer is None:
        raise InputError(f"--checkpoint {folder}: holds no tokenizer")
    return Predictor(saved.encoder, saved.head, saved.params, saved.tokenizer, saved.seen), saved.labels


def _in_order(found: Predictor, task: Task, names: tuple[str, ...] | None, labels: str | None) -> Predictor:
    """The model with its outputs in the order of the task's labels."""
    order = output_order(task, names, labels)
    own = names or tuple(f"LABEL_{i}" for i in range(len(task.labels)))
    if labels is None and order == list(range(len(own))) and names == task.labels:
        return found
    read = [(own[output], label) for output, label in zip(order, task.labels, strict=True)]
    other = ", ".join(f"{name} = {label}" for name, label in read if name.casefold() != label.casefold())
    assert found.head is not None  # as its outputs have an order
    params = found.params | {"head": found.head.kind.reordered(found.params["head"], order)}
    chosen = () if labels is None else ("labels", tuple(order))
    note, unnamed = f"Outputs are read as labels: {other}." * bool(other), labels is None and names is None
    return dataclasses.replace(found, params=params, chosen=chosen, note=note, unnamed=unnamed)
