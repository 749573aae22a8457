"""Checkpoint directories: encoders with or without a head, to evaluate, to train further or to export."""

import dataclasses
import json
import os
import pathlib
import types
import zipfile
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from itt_jax import families, files
from itt_jax.data.contamination import Digests
from itt_jax.data.fit import check_tokenizer
from itt_jax.data.tokenizing import Tokenizer, load_tokenizer
from itt_jax.errors import InputError
from itt_jax.models import Encoder, Head, checkpoint_folder, export, load_model, make_head
from itt_jax.models.checkpoint_files import read_json
from itt_jax.models.embedder import sentence_files
from itt_jax.train.processes import is_first
from itt_jax.train.state import Params
from itt_jax.train.trees import load_tree, new_folder, save_tree

FORMAT = 3
"""Version of the format; 2 renamed parameters (mlp_in, mlp_out), 3 separates whole inputs from fields in seen.npz."""
DESCRIPTION = "checkpoint.json"
SEEN = "seen.npz"
"""Digests of the training text, and its sources. Exports contain it too, so they are checked like our checkpoints."""
_HEAD_FIELDS = ("outputs", "pooling", "pair_features")


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """The content of a checkpoint directory.

    Attributes:
        params: {"encoder": ...}, with "head" if there is one; float32 numpy arrays on the host.
        labels: names of the head's outputs, or None. task: name of the training task, or None.
        seen: digests of the training text.
        provenance: versions and device that made it; no result depends on them.
    """

    encoder: Encoder
    params: Params
    head: Head | None
    labels: tuple[str, ...] | None
    task: str | None
    tokenizer: Tokenizer | None
    seen: Digests
    provenance: dict[str, str]


def save_checkpoint(
    directory: str | os.PathLike,
    encoder: Encoder,
    params: Params,
    head: Head | None = None,
    labels: tuple[str, ...] | None = None,
    task: str | None = None,
    tokenizer: Tokenizer | None = None,
    seen: Digests | None = None,
    further: Mapping[str, bytes] = types.MappingProxyType({}),
) -> None:
    """Write a checkpoint directory, whole or not at all, replacing an older one. All processes call it together.

    It contains checkpoint.json (encoder, head, labels, task, provenance), params/ (Orbax), tokenizer/ and seen.npz.

    Args:
        params: {"encoder": ...}, and "head" if a head is given. Other arguments are as in `Checkpoint`.
        further: additional files: relative name -> content.
    """
    described = {
        "format": FORMAT,
        "family": encoder.family,
        "config": dataclasses.asdict(encoder.config),
        "head": {"kind": head.kind.name} | {name: getattr(head, name) for name in _HEAD_FIELDS} if head else None,
        "labels": list(labels) if labels is not None else None,
        "task": task,
        "provenance": {"jax": jax.__version__, "device": jax.devices()[0].device_kind},
    }
    with new_folder(pathlib.Path(directory)) as folder:
        save_tree(folder / "params", {name: params[name] for name in ("encoder", *(["head"] if head else []))})
        if not is_first():
            return
        if tokenizer is not None:
            tokenizer.save(folder / "tokenizer")
        _save_seen(folder, seen or Digests.join([]))
        _write(folder, further)
        (folder / DESCRIPTION).write_text(json.dumps(described, indent=2, ensure_ascii=False) + "\n")


def _write(folder: pathlib.Path, contents: Mapping[str, bytes]) -> None:
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def load_checkpoint(directory: str | os.PathLike) -> Checkpoint:
    """The checkpoint at `directory`, which may also be the folder of a stage.

    Raises:
        InputError: the checkpoint is missing, incomplete, damaged or of another format.
    """
    directory = checkpoint_folder(pathlib.Path(directory))
    if not directory.is_dir():
        raise InputError(f"{directory}: no such directory; expected a checkpoint")
    files.check_manifest(directory, "checkpoint")
    described, encoder, head = _described(directory)
    like = {"encoder": encoder.shapes()} | ({"head": head.shapes()} if head else {})
    return Checkpoint(
        encoder=encoder,
        params=load_tree(directory / "params", like),
        head=head,
        labels=None if described["labels"] is None else tuple(described["labels"]),
        task=described["task"],
        tokenizer=load_tokenizer(directory / "tokenizer") if (directory / "tokenizer").is_dir() else None,
        seen=load_seen(directory),
        provenance=described["provenance"],
    )


def saved_encoder(directory: str | os.PathLike) -> Encoder:
    """The encoder that `load_checkpoint` returns, without its parameters. Raises the same errors on checkpoint.json."""
    return _described(pathlib.Path(directory))[1]


def saved_outputs(directory: str | os.PathLike) -> tuple[int, tuple[str, ...] | None]:
    """The number of outputs of a checkpoint's head, 0 without one, and their names. Raises as `saved_encoder`."""
    described, _, head = _described(pathlib.Path(directory))
    return head.outputs if head else 0, None if described["labels"] is None else tuple(described["labels"])


def is_ours(directory: str | os.PathLike) -> bool:
    """Whether a checkpoint directory is in our format."""
    return files.exists(pathlib.Path(directory) / DESCRIPTION)


def _described(directory: pathlib.Path) -> tuple[dict[str, Any], Encoder, Head | None]:
    """The content of checkpoint.json, its encoder and its head."""
    path = directory / DESCRIPTION
    described = read_json(path)
    if described.get("format") != FORMAT:
        raise InputError(
            f"{path}: format {described.get('format')!r:.80} of another version of this software, expected {FORMAT}; "
            "train or convert it again"
        )
    try:
        encoder = Encoder(families.family(described["family"]).Config(**described["config"]))
        return described, encoder, make_head(encoder, **described["head"]) if described["head"] else None
    except (KeyError, TypeError) as error:
        raise InputError(f"{path}: expected the description of an encoder and its head ({error!r:.200})") from error


def load_seen(directory: str | os.PathLike) -> Digests:
    """Digests of a checkpoint's training text; empty for a Hugging Face directory that was not exported here.

    Raises:
        InputError: they are missing from a checkpoint of ours, or damaged.
    """
    folder = checkpoint_folder(pathlib.Path(directory))
    path = folder / SEEN
    if not files.exists(path) and not is_ours(folder):
        return Digests.join([])
    try:
        with zipfile.ZipFile(path) as archive:
            if any(part.compress_type != zipfile.ZIP_STORED for part in archive.infolist()):
                raise ValueError("its arrays are compressed")  # decompressed, they may be of any size
        with np.load(path) as arrays:
            sources = arrays["sources"].tolist() if "sources" in arrays else []  # older files do not name them
            return Digests(arrays["fields"], arrays["inputs"], tuple(sources))
    except (OSError, ValueError, KeyError, EOFError, MemoryError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: expected digests of the checkpoint's training text ({error!s:.200})") from error


def _save_seen(folder: pathlib.Path, seen: Digests) -> None:
    np.savez(folder / SEEN, fields=seen.fields, inputs=seen.inputs, sources=np.array(seen.sources, np.str_))


def convert(source: str | os.PathLike, destination: str | os.PathLike) -> None:
    """Convert a Hugging Face directory to a checkpoint directory: encoder, tokenizer, and the head if it is known.

    Files of sentence-transformers that say how texts become vectors are kept.

    Raises:
        InputError: as `load_model` and `load_tokenizer`; or the two do not fit together, or `destination` is not empty.
    """
    files.check_unused(destination, "OUT_DIR")
    encoder, head, params, labels = load_model(source)
    tokenizer = load_tokenizer(pathlib.Path(source))
    check_tokenizer(tokenizer, encoder.config, str(source))
    further = sentence_files(pathlib.Path(source))
    seen = load_seen(source)
    save_checkpoint(destination, encoder, params, head, labels, tokenizer=tokenizer, seen=seen, further=further)


def export_checkpoint(source: str | os.PathLike, destination: str | os.PathLike) -> None:
    """Convert a checkpoint directory to one that `transformers` loads, tokenizer included.

    It also contains the digests of the training text (`SEEN`), which `transformers` ignores.

    Raises:
        InputError: as `load_checkpoint`; or Hugging Face has no such head, or `destination` is not empty.
    """
    files.check_unused(destination, "OUT_DIR")
    saved = load_checkpoint(source)
    export(
        destination, saved.encoder, saved.params if saved.head else saved.params["encoder"], saved.head, saved.labels
    )
    if saved.tokenizer is not None:
        saved.tokenizer.save(pathlib.Path(destination))
    _save_seen(pathlib.Path(destination), saved.seen)
    _write(pathlib.Path(destination), sentence_files(checkpoint_folder(pathlib.Path(source))))
