"""Hugging Face checkpoints (config.json, safetensors) to our parameters and back, without torch.

The encoder's table of keys stands in its family's module; the heads' tables stand here. Everything that is wrong
with a checkpoint is collected and raised together. Nothing is unpickled.
"""

import dataclasses
import os
import pathlib
from typing import Any

import jax
import numpy as np
from flax import traverse_util

from itt_jax import errors
from itt_jax.errors import InputError
from itt_jax.models.checkpoint_files import (
    CONFIG,
    WEIGHTS,
    Tensors,
    read_json,
    read_tensors,
    write_config,
    write_tensors,
)
from itt_jax.models.encoder import Encoder, Params, family_module
from itt_jax.models.heads import Head, make_head

Keys = tuple[tuple[str, str, bool], ...]

_FAMILIES = {"bert": "bert", "roberta": "roberta", "xlm-roberta": "roberta", "xlnet": "xlnet"}
_CLASSES = {"bert": "Bert", "roberta": "Roberta", "xlm-roberta": "XLMRoberta", "xlnet": "XLNet"}
# Older releases saved these buffers; they hold 0, 1, 2 ... and zeros.
_BUFFERS = ("embeddings.position_ids", "embeddings.token_type_ids")


def _dense(theirs: str, ours: str) -> Keys:
    return ((f"{theirs}.weight", f"{ours}.kernel", True), (f"{theirs}.bias", f"{ours}.bias", False))


def _norm(theirs: str, ours: str) -> Keys:
    return ((f"{theirs}.weight", f"{ours}.scale", False), (f"{theirs}.bias", f"{ours}.bias", False))


_TRANSFORM = "cls.predictions.transform."
_CLASSIFIER, _SPAN = _dense("classifier", "output"), _dense("qa_outputs", "output")
_SUMMARY = (*_dense("sequence_summary.summary", "dense"), *_dense("logits_proj", "output"))
# family -> kind of head -> (what Hugging Face's class name ends in, its keys).
HEADS: dict[str, dict[str, tuple[str, Keys]]] = {
    "bert": {
        "classification": ("ForSequenceClassification", _CLASSIFIER),
        "multiple_choice": ("ForMultipleChoice", _CLASSIFIER),
        "token_classification": ("ForTokenClassification", _CLASSIFIER),
        "question_answering": ("ForQuestionAnswering", _SPAN),
        "masked_lm": (
            "ForMaskedLM",
            (
                *_dense(f"{_TRANSFORM}dense", "dense"),
                *_norm(f"{_TRANSFORM}LayerNorm", "norm"),
                ("cls.predictions.bias", "bias", False),
            ),
        ),
    },
    "roberta": {
        "classification": (
            "ForSequenceClassification",
            (*_dense("classifier.dense", "dense"), *_dense("classifier.out_proj", "output")),
        ),
        "multiple_choice": ("ForMultipleChoice", _CLASSIFIER),
        "token_classification": ("ForTokenClassification", _CLASSIFIER),
        "question_answering": ("ForQuestionAnswering", _SPAN),
        "masked_lm": (
            "ForMaskedLM",
            (*_dense("lm_head.dense", "dense"), *_norm("lm_head.layer_norm", "norm"), ("lm_head.bias", "bias", False)),
        ),
    },
    "xlnet": {
        "classification": ("ForSequenceClassification", _SUMMARY),
        "multiple_choice": ("ForMultipleChoice", _SUMMARY),
        "token_classification": ("ForTokenClassification", _CLASSIFIER),
        "question_answering": ("ForQuestionAnsweringSimple", _SPAN),
        "permuted_lm": ("LMHeadModel", (("lm_loss.bias", "bias", False),)),
    },
}
# Hugging Face's problem_type -> kind of head, where that is not classification.
_PROBLEMS = {"regression": "regression", "multi_label_classification": "multilabel"}
# Architectures whose head we do not build, and what their head's keys begin with. Their encoders load.
_OTHER_HEADS = {
    "ForPreTraining": ("cls.",),
    "ForNextSentencePrediction": ("cls.",),
    "LMHeadModel": ("cls.", "lm_loss."),
    "ForCausalLM": ("lm_head.",),
    "ForQuestionAnswering": ("start_logits.", "end_logits.", "answer_class."),
}
# The poolers that an architecture needs; elsewhere a checkpoint may or may not carry one.
_NEED_POOLER = {
    "bert": ("ForSequenceClassification", "ForMultipleChoice", "ForNextSentencePrediction", "ForPreTraining"),
    "roberta": ("ForMultipleChoice",),
    "xlnet": (),
}


def from_pretrained(directory: str | os.PathLike) -> tuple[Encoder, Params]:
    """The encoder of a Hugging Face checkpoint; the head of a model with one is left behind.

    Args:
        directory: holds config.json and model.safetensors, or its shards with model.safetensors.index.json.

    Returns:
        encoder, and its parameters in float32.

    Raises:
        InputError: no such file, a truncated or corrupt one, a config value that we do not support, or (all of them
            in one error) missing keys, unused keys, wrong shapes.
    """
    source = _Source(pathlib.Path(directory))
    flat = source.take(source.encoder_keys(), source.encoder.shapes())
    source.finish(allowed=source.head_prefixes())
    return source.encoder, _nested(flat)


def load_model(
    directory: str | os.PathLike, kind: str | None = None
) -> tuple[Encoder, Head, Params, tuple[str, ...] | None]:
    """A fine-tuned Hugging Face model with its head.

    Args:
        directory: as `from_pretrained`.
        kind: of the head; None takes it from the config's architecture.

    Returns:
        encoder; head; parameters {"encoder", "head"}; the label names in the order of the outputs, or None where
        the config has none or only Hugging Face's placeholders (LABEL_0 ...).

    Raises:
        InputError: as `from_pretrained`; also an architecture whose head we do not have.
    """
    source = _Source(pathlib.Path(directory))
    labels = source.labels()
    kind = kind or source.head_kind(len(labels))
    outputs = {"multiple_choice": 1, "question_answering": 2}.get(
        kind, len(labels) if _form(kind) in ("classification", "token_classification") else None
    )
    head = make_head(source.encoder, kind, outputs or source.encoder.config.vocabulary_size)
    _, keys = HEADS[source.encoder.family][_form(kind)]
    encoder_flat = source.take(source.encoder_keys(), source.encoder.shapes())
    head_flat = source.take(keys, head.shapes())
    source.check_tied()
    # Published BERTs say ForMaskedLM and still carry the next-sentence head of pretraining.
    source.finish(allowed=("cls.seq_relationship.",) if kind == "masked_lm" else ())
    placeholders = all(name == f"LABEL_{i}" for i, name in enumerate(labels))
    named = kind in ("classification", "multilabel", "token_classification") and not placeholders
    return (
        source.encoder,
        head,
        {"encoder": _nested(encoder_flat), "head": _nested(head_flat)},
        labels if named else None,
    )


def export(
    directory: str | os.PathLike,
    encoder: Encoder,
    params: Params,
    head: Head | None = None,
    labels: tuple[str, ...] | None = None,
) -> None:
    """Writes config.json and model.safetensors that `transformers` loads.

    Args:
        directory: made if absent; its two files are replaced, each whole.
        params: the encoder's own, or {"encoder", "head"} if a head is given.
        labels: names of the outputs of a classification or tagging head.

    Raises:
        InputError: Hugging Face has no such head, labels do not fit its outputs, or params do not fit the encoder.
    """
    config = encoder.config.to_huggingface()
    class_name = _CLASSES[config["model_type"]]
    if head is None:
        class_name += "Model"
    else:
        if not head.has_huggingface_form:
            raise InputError(
                f"head with pooling {head.pooling!r}: Hugging Face has none; only 'pretrained' is exported"
            )
        class_name += HEADS[encoder.family][_form(head.kind)][0]
        config |= _label_config(head, labels)
    config |= {"architectures": [class_name], "dtype": "float32"}
    tensors = model_tensors(encoder, params, head)
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    write_tensors(directory / WEIGHTS, tensors)
    write_config(directory / CONFIG, config)


def model_tensors(encoder: Encoder, params: Params, head: Head | None = None) -> Tensors:
    """Parameters (or gradients) under Hugging Face's names and in its layout, float32.

    Args:
        params: the encoder's own, or {"encoder", "head"} if a head is given.

    Raises:
        InputError: params do not fit the encoder or the head.
    """
    family = family_module(encoder.family)
    if head is None:
        return _tensors(_expand(family.KEYS, encoder), params, encoder.shapes())
    keys = tuple((f"{family.PREFIX}.{theirs}", ours, swap) for theirs, ours, swap in _expand(family.KEYS, encoder))
    own_pooler = tuple(key for key in keys if key[1].startswith("pooler."))
    _, head_keys = HEADS[encoder.family][_form(head.kind)]
    return _tensors(keys, params["encoder"], encoder.shapes()) | _tensors(
        (*head_keys, *own_pooler), params["head"], head.shapes()
    )


class _Source:
    """One checkpoint directory while it is read: its config, its tensors, and what was found wrong so far."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory, self.values = directory, read_json(directory / CONFIG)
        model_type = self.values.get("model_type")
        if model_type not in _FAMILIES:
            raise errors.unknown(f"model_type in {directory / CONFIG}:", model_type, _FAMILIES)
        self.family = family_module(_FAMILIES[model_type])
        self.architecture = (self.values.get("architectures") or [""])[0]
        self.suffix = self.architecture.removeprefix(_CLASSES[model_type])
        self.missing: list[str] = []
        self.wrong: list[str] = []
        self.tensors = {_modern(name): value for name, value in read_tensors(directory, self.missing).items()}
        self.prefix = f"{self.family.PREFIX}."
        if not any(name.startswith(self.prefix) for name in self.tensors):
            self.prefix = ""
        self.tied = self._tied()
        for alias, target in self.tied.items():
            if alias in self.tensors:
                self.tensors.setdefault(target, self.tensors[alias])
        self.used = {self.prefix + name for name in _BUFFERS} | set(self.tied)
        try:
            config = self.family.Config.from_huggingface(self.values)
        except InputError as error:
            raise InputError(f"{directory / CONFIG}: {error}") from error
        if any(field.name == "pooler" for field in dataclasses.fields(config)):
            present = any(name.startswith(f"{self.prefix}pooler.") for name in self.tensors)
            needed = self.suffix in _NEED_POOLER[config.family]
            config = dataclasses.replace(config, pooler=present or needed)
        self.encoder = Encoder(config)

    def encoder_keys(self) -> Keys:
        return tuple((self.prefix + theirs, *rest) for theirs, *rest in _expand(self.family.KEYS, self.encoder))

    def head_prefixes(self) -> tuple[str, ...]:
        """What the keys begin with that a known head leaves over."""
        for suffix, keys in HEADS[self.encoder.family].values():
            if suffix == self.suffix:
                return tuple({theirs.split(".")[0] + "." for theirs, _, _ in keys})
        return _OTHER_HEADS.get(self.suffix, ())

    def head_kind(self, outputs: int) -> str:
        for kind, (suffix, _) in HEADS[self.encoder.family].items():
            if suffix == self.suffix or (kind == "masked_lm" and self.suffix == "ForPreTraining"):
                if kind != "classification":
                    return kind
                return _PROBLEMS.get(self.values.get("problem_type"), "regression" if outputs == 1 else kind)
        known = [_CLASSES[self.values["model_type"]] + suffix for suffix, _ in HEADS[self.encoder.family].values()]
        raise errors.unknown(f"architecture in {self.directory / CONFIG}:", self.architecture, known)

    def labels(self) -> tuple[str, ...]:
        """The names of the outputs; Hugging Face's default is two."""
        names = self.values.get("id2label") or {str(i): f"LABEL_{i}" for i in range(self.values.get("num_labels", 2))}
        if sorted(names) != sorted(str(i) for i in range(len(names))):
            raise InputError(f"{self.directory / CONFIG}: id2label: expected ids 0 to {len(names) - 1}, found {names}")
        return tuple(names[str(i)] for i in range(len(names)))

    def take(self, keys: Keys, shapes: Params) -> Tensors:
        """The tensors of a table, in our layout, as float32; what is missing or misshapen is noted."""
        expected, found = traverse_util.flatten_dict(shapes, sep="."), {}
        for theirs, ours, transpose in keys:
            if ours not in expected:
                continue
            self.used.add(theirs)
            if theirs not in self.tensors:
                self.missing.append(theirs)
                continue
            tensor, shape = self.tensors[theirs], expected[ours].shape
            if tensor.shape != (shape[::-1] if transpose else shape):
                self.wrong.append(f"{theirs} (expected {shape[::-1] if transpose else shape}, found {tensor.shape})")
            elif tensor.dtype.name not in ("float16", "bfloat16", "float32", "float64"):
                self.wrong.append(f"{theirs} (expected floats, found {tensor.dtype})")
            else:
                value = np.ascontiguousarray((tensor.T if transpose else tensor).astype(np.float32))
                # XLNets with tied biases repeat them in every layer.
                if not np.array_equal(found.setdefault(ours, value), value, equal_nan=True):
                    self.wrong.append(f"{theirs} (expected the same values in every layer)")
        return found

    def _tied(self) -> dict[str, str]:
        """Names under which a checkpoint may repeat a tensor that the model shares."""
        words = self.prefix + self.family.KEYS[0][0]
        return {
            "cls.predictions.decoder.weight": words,
            "cls.predictions.decoder.bias": "cls.predictions.bias",
            "lm_head.decoder.weight": words,
            "lm_head.decoder.bias": "lm_head.bias",
            "lm_loss.weight": words,
        }

    def check_tied(self) -> None:
        """Notes a repeated tensor that is not the one it is shared with: the model would compute something else."""
        for alias, target in self.tied.items():
            if alias in self.tensors and not np.array_equal(self.tensors[alias], self.tensors[target]):
                self.wrong.append(f"{alias} (expected the same values as {target})")

    def finish(self, allowed: tuple[str, ...]) -> None:
        """Raises one InputError for all that was found wrong; `allowed` are beginnings of keys that may be unused."""
        unused = [name for name in self.tensors if name not in self.used and not name.startswith(allowed)]
        problems = [
            f"{title}: {', '.join(names[:20])}{f' and {len(names) - 20} more' if len(names) > 20 else ''}"
            for title, names in (
                ("missing keys", sorted(self.missing)),
                ("unused keys", sorted(unused)),
                ("wrong tensors", sorted(self.wrong)),
            )
            if names
        ]
        if problems:
            raise InputError(f"{self.directory}: {'; '.join(problems)}")


def _form(kind: str) -> str:
    """Hugging Face has one class for classification, several labels and regression."""
    return "classification" if kind in _PROBLEMS.values() else kind


def _modern(name: str) -> str:
    """Checkpoints converted from TensorFlow call LayerNorm's weight and bias gamma and beta."""
    for old, new in ((".gamma", ".weight"), (".beta", ".bias")):
        if name.endswith(old):
            return name.removesuffix(old) + new
    return name


def _expand(keys: Keys, encoder: Encoder) -> Keys:
    """The family's table with a row for each layer."""
    return tuple(
        (theirs.replace("{i}", str(i)), ours.replace("{i}", str(i)), transpose)
        for theirs, ours, transpose in keys
        for i in (range(encoder.config.layers) if "{i}" in theirs else (0,))
    )


def _nested(flat: Tensors) -> Params:
    return jax.device_put(traverse_util.unflatten_dict(flat, sep="."))


def _tensors(keys: Keys, params: Params, shapes: Params) -> Tensors:
    flat, expected = traverse_util.flatten_dict(params, sep="."), traverse_util.flatten_dict(shapes, sep=".")
    wrong = sorted(name for name in flat.keys() | expected.keys() if name not in flat or name not in expected)
    wrong += sorted(name for name in flat.keys() & expected.keys() if flat[name].shape != expected[name].shape)
    if wrong:
        raise InputError(f"parameters do not fit the model: {', '.join(wrong[:20])}")
    tensors = {}
    for theirs, ours, transpose in keys:
        if ours in flat:
            value = np.asarray(flat[ours], np.float32)
            tensors[theirs] = np.ascontiguousarray(value.T if transpose else value)
    return tensors


def _label_config(head: Head, labels: tuple[str, ...] | None) -> dict[str, Any]:
    if head.kind in ("masked_lm", "permuted_lm"):
        return {}
    names = labels or tuple(f"LABEL_{i}" for i in range(head.outputs))
    if len(names) != head.outputs:
        raise InputError(f"labels: expected {head.outputs} names, one for each output, found {len(names)}: {names}")
    settings = {
        "id2label": {str(i): name for i, name in enumerate(names)},
        "label2id": {name: i for i, name in enumerate(names)},
    }
    return settings | next(({"problem_type": name} for name, kind in _PROBLEMS.items() if kind == head.kind), {})
