"""Hugging Face checkpoints (config.json, safetensors) to our parameters and back, without torch.

Names and keys are in `itt_jax.families`. All faults of a checkpoint are collected and raised together. Nothing is
unpickled.
"""

import dataclasses
import os
import pathlib
from typing import Any, NamedTuple

import jax
import numpy as np
from flax import traverse_util

from itt_jax import errors, families, files
from itt_jax.errors import InputError
from itt_jax.families.family import HuggingFace, Keys
from itt_jax.models.checkpoint_files import (
    ADAPTER,
    CONFIG,
    FLOATS,
    WEIGHTS,
    StoredTensor,
    Tensors,
    read_json,
    stored_tensors,
    write_config,
    write_tensors,
)
from itt_jax.models.encoder import Encoder, Params
from itt_jax.models.heads import HEAD_KINDS, Head, HeadKind, head_kind, make_head
from itt_jax.models.label_names import SINGLE_LABEL, problem_of, read_outputs


def from_pretrained(directory: str | os.PathLike) -> tuple[Encoder, Params]:
    """The encoder of a Hugging Face checkpoint; a model's head is left out.

    Args:
        directory: holds config.json and model.safetensors, or its shards with model.safetensors.index.json.

    Returns:
        encoder, and its parameters in float32.

    Raises:
        InputError: no such file, a truncated or corrupt one, a config value that is not supported, or (all of them in
            one error) missing keys, unused keys, wrong shapes.
    """
    source = _Source(pathlib.Path(directory))
    found = source.match_encoder()
    return source.encoder, _nested(found)


def pretrained_encoder(directory: str | os.PathLike) -> Encoder:
    """The encoder that `from_pretrained` returns, with its checks; parameters are not read.

    Raises:
        InputError: as `from_pretrained`.
    """
    source = _Source(pathlib.Path(directory))
    source.match_encoder()
    return source.encoder


def load_model(
    directory: str | os.PathLike, kind: str | None = None
) -> tuple[Encoder, Head | None, Params, tuple[str, ...] | None]:
    """A Hugging Face model with its head, if its architecture has one.

    Args:
        directory: as `from_pretrained`.
        kind: kind of the head; None takes it from the config's architecture.

    Returns:
        encoder; head, None for an architecture without one (BertModel); parameters {"encoder", "head"}; the label
        names in the order of the outputs, or None if the config has none or only placeholders (LABEL_0 ...).

    Raises:
        InputError: as `from_pretrained`; also an architecture whose head is not implemented.
    """
    source = _Source(pathlib.Path(directory))
    if kind is None and source.suffix in ("", "Model"):
        return source.encoder, None, {"encoder": _nested(source.match_encoder())}, None
    found = head_kind(kind) if kind else source.head_kind()
    fixed = found.fixed_outputs(source.encoder)
    outputs, labels = (fixed, None) if fixed else source.outputs()
    head = make_head(source.encoder, found.name, outputs)
    if not head.has_huggingface_form:
        raise InputError(f"{source.directory}: Hugging Face has no {found.name} head")
    own = source.names.heads[found.form]
    encoder_found = source.match(source.encoder_keys(), source.encoder.shapes())
    head_found = source.match(own.keys, head.shapes())
    source.check_tied()
    source.finish(allowed=own.leftovers)
    params = {"encoder": _nested(encoder_found), "head": _nested(head_found)}
    return source.encoder, head, params, labels if found.labels else None


def export(
    directory: str | os.PathLike,
    encoder: Encoder,
    params: Params,
    head: Head | None = None,
    labels: tuple[str, ...] | None = None,
) -> None:
    """Writes config.json and model.safetensors that `transformers` loads.

    Args:
        directory: created if absent; its two files are replaced, each atomically.
        params: the encoder's own, or {"encoder", "head"} if a head is given.
        labels: names of the outputs of a head whose outputs are classes.

    Raises:
        InputError: Hugging Face has no such head, labels do not fit its outputs, or params do not fit the encoder.
    """
    config = encoder.config.to_huggingface()
    names = families.family(encoder.family).huggingface
    class_name = names.model_types[config["model_type"]]
    if head is None:
        class_name += "Model"
    else:
        if not head.has_huggingface_form:
            raise InputError(
                f"{head.kind.name} head with pooling {head.pooling!r}: Hugging Face has none; only heads with pooling "
                "'pretrained' and a Hugging Face class are exported"
            )
        class_name += names.heads[head.kind.form].suffix
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
    names = families.family(encoder.family).huggingface
    if head is None:
        return _tensors(_expand(names.keys, encoder), params, encoder.shapes())
    keys = tuple((f"{names.prefix}.{theirs}", ours, swap) for theirs, ours, swap in _expand(names.keys, encoder))
    own_pooler = tuple(key for key in keys if key[1].startswith("pooler."))
    head_keys = (*names.heads[head.kind.form].keys, *own_pooler)
    return _tensors(keys, params["encoder"], encoder.shapes()) | _tensors(head_keys, params["head"], head.shapes())


class _Source:
    """A checkpoint directory while it is read: its config, its tensors, and the faults found so far."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory, self.values = directory, read_json(directory / CONFIG)
        if self.values.get("quantization_config"):
            raise InputError(f"{directory / CONFIG}: quantization_config: quantised weights are not supported")
        if files.exists(directory / ADAPTER):
            raise InputError(f"{directory / ADAPTER}: adapters are not supported; merge it into the weights and save")
        try:
            family = families.family_of_model_type(self.values.get("model_type"))
            config = family.Config.from_huggingface(self.values)
        except InputError as error:
            raise InputError(f"{directory / CONFIG}: {error}") from error
        self.names: HuggingFace = family.huggingface
        self.architecture = _architecture(directory / CONFIG, self.values)
        self.suffix = self.architecture.removeprefix(self.names.model_types[self.values["model_type"]])
        self.missing: list[str] = []
        self.wrong: list[str] = []
        stored = stored_tensors(directory, self.missing)
        self.tensors = {_modern(name): value for name, value in stored.items()}
        twice = [name for name in stored if _modern(name) != name and _modern(name) in stored]
        self.wrong += [f"{name} (stored as {_modern(name)} too)" for name in twice]
        if config.layers > len(self.tensors):  # shapes are traced layer by layer
            raise InputError(
                f"{directory / CONFIG}: {config.names['layers']} {config.layers}, found weights of {len(self.tensors)} "
                "tensors in all"
            )
        self.prefix = f"{self.names.prefix}."
        if not any(name.startswith(self.prefix) for name in self.tensors):
            self.prefix = ""
        self.tied = self.names.tied if config.tied_embeddings else {}
        for alias, target in self.tied.items():
            if alias in self.tensors:
                self.tensors.setdefault(target, self.tensors[alias])
        self.used = {self.prefix + name for name in self.names.buffers} | set(self.tied)
        if "pooler" in family.fields:
            present = any(name.startswith(f"{self.prefix}pooler.") for name in self.tensors)
            made: dict[str, Any] = {"pooler": present or self.suffix in self.names.needs_pooler}
            config = dataclasses.replace(config, **made)
        self.encoder = Encoder(config)

    def encoder_keys(self) -> Keys:
        keys = _expand(self.names.keys, self.encoder)
        return tuple((self.prefix + theirs, ours, swap) for theirs, ours, swap in keys)

    def head_prefixes(self) -> tuple[str, ...]:
        """Beginnings of the keys that the architecture's head has in addition to the encoder."""
        for own in self.names.heads.values():
            if own.suffix == self.suffix:
                return tuple({theirs.split(".")[0] + "." for theirs, _, _ in own.keys})
        return self.names.other_heads.get(self.suffix, ())

    def head_kind(self) -> HeadKind:
        """The kind of the architecture's head; one form has several, by problem_type."""
        for form, own in self.names.heads.items():
            if self.suffix in (own.suffix, *own.also):
                kinds = {kind.problem_type or SINGLE_LABEL: kind for kind in HEAD_KINDS if kind.form == form}
                if len(kinds) == 1:
                    return next(iter(kinds.values()))
                return kinds[problem_of(self.values, self.outputs()[0], list(kinds), str(self.directory / CONFIG))]
        prefix = self.names.model_types[self.values["model_type"]]
        known = [prefix + own.suffix for own in self.names.heads.values()]
        raise errors.unknown(f"architecture in {self.directory / CONFIG}:", self.architecture, known)

    def outputs(self) -> tuple[int, tuple[str, ...] | None]:
        """The number of a classifier's outputs, and their names."""
        return read_outputs(self.values, str(self.directory / CONFIG))

    def match_encoder(self) -> "_Found":
        """The encoder's tensors.

        Raises:
            InputError: all faults found.
        """
        found = self.match(self.encoder_keys(), self.encoder.shapes())
        self.finish(allowed=self.head_prefixes())
        return found

    def match(self, keys: Keys, shapes: Params) -> "_Found":
        """The tensors of a table under our paths; missing and misshapen ones are noted."""
        expected, found = traverse_util.flatten_dict(shapes, sep="."), {}
        for theirs, ours, transpose in keys:
            if ours not in expected:
                continue
            theirs, part, parts = _part(theirs)
            again = theirs in self.used
            self.used.add(theirs)
            if theirs not in self.tensors:
                self.missing += [] if again else [theirs]
                continue
            tensor, shape = self.tensors[theirs], expected[ours].shape
            shape = shape[::-1] if transpose else shape
            shape = (shape[0] * parts, *shape[1:])
            if tensor.shape != shape:
                self.wrong += [] if again else [f"{theirs} (expected {shape}, found {tensor.shape})"]
            elif tensor.dtype not in FLOATS:
                problem = f"{theirs} (expected floats of 16, 32 or 64 bits, found {tensor.dtype})"
                self.wrong += [] if again else [problem]
            else:
                found[ours] = _Place(tensor, transpose, part, parts)
        return found

    def check_tied(self) -> None:
        """Notes repeated tensors that differ from the one they share: the model would compute something else."""
        for alias, target in self.tied.items():
            if alias in self.tensors and not _equal(self.tensors[alias], self.tensors[target]):
                self.wrong.append(f"{alias} (expected the same values as {target})")

    def finish(self, allowed: tuple[str, ...]) -> None:
        """Raises one InputError for all faults found; `allowed` are beginnings of keys that may be unused."""
        unused = [name for name in self.tensors if name not in self.used and not name.startswith(allowed)]
        problems = [
            f"{title}: {', '.join(names[:20])}{f' and {len(names) - 20} more' if len(names) > 20 else ''}"
            for title, names in (
                ("missing keys", sorted(self.missing)),
                ("unused keys", sorted(unused)),
                (f"tensors that do not fit {CONFIG}", sorted(self.wrong)),
            )
            if names
        ]
        if problems:
            raise InputError(f"{self.directory}: {'; '.join(problems)}")


def _modern(name: str) -> str:
    """The present name: checkpoints converted from TensorFlow call LayerNorm's weight and bias gamma and beta."""
    for old, new in ((".gamma", ".weight"), (".beta", ".bias")):
        if name.endswith(old):
            return name.removesuffix(old) + new
    return name


def _expand(keys: Keys, encoder: Encoder) -> Keys:
    """The table of keys with a row for each layer."""
    return tuple(
        (theirs.replace("{i}", str(i)), ours.replace("{i}", str(i)), transpose)
        for theirs, ours, transpose in keys
        for i in (range(encoder.config.layers) if "{i}" in theirs else (0,))
    )


class _Place(NamedTuple):
    """Where a parameter is in a checkpoint: a tensor that fits, whether it is transposed, and which part of it."""

    tensor: StoredTensor
    transpose: bool
    part: int
    parts: int


_Found = dict[str, _Place]
"""Our path -> its place."""


def _part(theirs: str) -> tuple[str, int, int]:
    """The key of a tensor, the number of the part that a row of a table means, and the number of parts."""
    name, _, rest = theirs.partition("[")
    part, _, parts = rest.rstrip("]").partition("/")
    return (name, int(part), int(parts)) if rest else (name, 0, 1)


def _nested(found: _Found) -> Params:
    """Parameters in our layout, float32."""
    flat = {}
    for ours, place in found.items():
        value = place.tensor.read()
        size = len(value) // place.parts if place.parts > 1 else 0
        value = value[place.part * size : (place.part + 1) * size] if size else value
        flat[ours] = np.ascontiguousarray((value.T if place.transpose else value).astype(np.float32))
    return jax.device_put(traverse_util.unflatten_dict(flat, sep="."))


def _equal(first: StoredTensor, second: StoredTensor) -> bool:
    same_form = first.shape == second.shape and {first.dtype, second.dtype} <= set(FLOATS)
    return same_form and np.array_equal(first.read(), second.read())


def _architecture(path: pathlib.Path, values: dict[str, Any]) -> str:
    names = values.get("architectures") or [""]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f"{path}: architectures: expected class names in a list, found {names!r:.80}")
    return names[0]


def _tensors(keys: Keys, params: Params, shapes: Params) -> Tensors:
    flat, expected = traverse_util.flatten_dict(params, sep="."), traverse_util.flatten_dict(shapes, sep=".")
    wrong = sorted(name for name in flat.keys() | expected.keys() if name not in flat or name not in expected)
    wrong += sorted(name for name in flat.keys() & expected.keys() if flat[name].shape != expected[name].shape)
    if wrong:
        raise InputError(f"parameters do not fit the model: {', '.join(wrong[:20])}")
    parts: dict[str, list[np.ndarray]] = {}
    for theirs, ours, transpose in keys:
        if ours in flat:
            value = np.asarray(flat[ours], np.float32)
            parts.setdefault(_part(theirs)[0], []).append(value.T if transpose else value)
    return {name: np.ascontiguousarray(own[0] if len(own) == 1 else np.concatenate(own)) for name, own in parts.items()}


def _label_config(head: Head, labels: tuple[str, ...] | None) -> dict[str, Any]:
    if head.kind.language:
        return {}
    names = labels or tuple(f"LABEL_{i}" for i in range(head.outputs))
    if len(names) != head.outputs:
        raise InputError(f"labels: expected {head.outputs} names, one for each output, found {len(names)}: {names}")
    settings = {
        "id2label": {str(i): name for i, name in enumerate(names)},
        "label2id": {name: i for i, name in enumerate(names)},
    }
    return settings | ({"problem_type": head.kind.problem_type} if head.kind.problem_type else {})
