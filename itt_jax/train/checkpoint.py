"""Directories that outlive a process: stages to resume, and finished encoders. The only module that knows Orbax."""

import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np

from itt_jax import families, files
from itt_jax.data.tokenizing import Tokenizer, load_tokenizer
from itt_jax.errors import InputError
from itt_jax.models import Encoder, Head, export, from_pretrained, load_model, make_head
from itt_jax.train.processes import await_others, is_first, shared_name
from itt_jax.train.state import Params

FORMAT = 2
"""2: names of parameters changed (mlp_in, mlp_out)."""
_HEAD_FIELDS = ("outputs", "pooling", "pair_features")


@contextlib.contextmanager
def new_folder(directory: pathlib.Path) -> Iterator[pathlib.Path]:
    """`files.new_folder` with a manifest, entered and left together by all processes of one run: Orbax saves in all."""
    partial = directory.with_name(f".{directory.name}.{shared_name()}")
    if is_first():
        partial.mkdir(parents=True)
    await_others("made")
    try:
        yield partial
        await_others("written")
        if is_first():
            files.write_manifest(partial)
            files.publish_folder(partial, directory)
        await_others("renamed")
    finally:
        if is_first():
            shutil.rmtree(partial, ignore_errors=True)


def save_tree(directory: pathlib.Path, tree: Any) -> None:
    """Write a pytree of arrays into the new folder `directory`."""
    from orbax.checkpoint import v1 as ocp

    ocp.save(directory.resolve(), jax.tree.map(np.asarray, tree))


def load_tree(directory: pathlib.Path, like: Any) -> Any:
    """The pytree written at `directory`, as numpy arrays with the structure, shapes and dtypes of `like`.

    Raises InputError where it is of another structure or has other shapes; see `files.check_manifest` for damage.
    """
    from orbax.checkpoint import v1 as ocp

    like = jax.tree.map(lambda leaf: np.empty(leaf.shape, leaf.dtype), like)
    try:
        tree = ocp.load(directory.resolve(), like)
    except (ValueError, KeyError) as error:
        raise InputError(f"{directory}: parameters of another structure: {str(error).splitlines()[0][:300]}") from error
    for (path, wanted), found in zip(jax.tree.leaves_with_path(like), jax.tree.leaves(tree), strict=True):
        if wanted.shape != found.shape:
            name = jax.tree_util.keystr(path, simple=True, separator="/")
            raise InputError(f"{directory}: {name} has shape {found.shape}, expected {wanted.shape}")
    return tree


# --- stages to resume


@dataclasses.dataclass(frozen=True)
class Resume:
    """Where one stage keeps its latest resumable state: `directory`/resume-<steps done>, the newest complete one.

    `fingerprint` is a digest of everything that determines the stage; another stage's state is refused.
    """

    directory: pathlib.Path
    fingerprint: str

    def save(self, step: int, tree: Any, record: dict[str, Any]) -> None:
        """Keep `tree` (arrays) and `record` (JSON) as the state after `step` steps; older ones are removed.

        Several processes call it together, with the same `tree` on each, and see one file system.
        """
        older = self._found()
        with new_folder(self.directory / f"resume-{step}") as aside:
            save_tree(aside / "tree", tree)
            if is_first():
                (aside / "record.json").write_text(json.dumps({"fingerprint": self.fingerprint, **record}))
        if is_first():
            for path in older.values():
                shutil.rmtree(path, ignore_errors=True)

    def record(self) -> tuple[int, dict[str, Any]] | None:
        """Updates done and the record of the newest state, or None. Raises InputError if it is another stage's."""
        found = self._found()
        if not found:
            return None
        step = max(found)
        files.check_manifest(found[step], "checkpoint")
        record = json.loads((found[step] / "record.json").read_text())
        if record.pop("fingerprint") != self.fingerprint:
            raise InputError(f"{found[step]} belongs to another stage; remove it or choose another directory")
        return step, record

    def tree(self, step: int, like: Any) -> Any:
        """The arrays of the state after `step` steps, shaped like `like`."""
        return load_tree(self._found()[step] / "tree", like)

    def _found(self) -> dict[int, pathlib.Path]:
        return {int(path.name.split("-")[1]): path for path in self.directory.glob("resume-*")}


def forget_resume(directory: pathlib.Path) -> None:
    """Remove the resumable states of a stage whose result is kept elsewhere by now."""
    for path in pathlib.Path(directory).glob("resume-*"):
        shutil.rmtree(path)


# --- finished encoders


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint directory holds.

    Attributes:
        params: {"encoder": ...} and, with a head, "head"; float32, on the device.
        labels: names of the head's outputs, or None. task: name of the task it was trained on, or None.
        seen: uint64 digests (data.contamination) of the text that it was trained on.
        provenance: versions and device of its making; no result depends on it.
    """

    encoder: Encoder
    params: Params
    head: Head | None
    labels: tuple[str, ...] | None
    task: str | None
    tokenizer: Tokenizer | None
    seen: np.ndarray
    provenance: dict[str, str]


def save_checkpoint(
    directory: str | os.PathLike,
    encoder: Encoder,
    params: Params,
    head: Head | None = None,
    labels: tuple[str, ...] | None = None,
    task: str | None = None,
    tokenizer: Tokenizer | None = None,
    seen: np.ndarray | Sequence[int] = (),
) -> None:
    """Write a checkpoint directory, whole or not at all; one of that name is replaced.

    It holds checkpoint.json (encoder, head, labels, task, provenance), params/ (Orbax), tokenizer/, seen.npy.

    Args:
        params: {"encoder": ...} and "head" if a head is given. The other arguments as `Checkpoint`.
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
    with new_folder(pathlib.Path(directory)) as aside:
        save_tree(aside / "params", {name: params[name] for name in ("encoder", *(["head"] if head else []))})
        if tokenizer is not None:
            tokenizer.save(aside / "tokenizer")
        np.save(aside / "seen.npy", np.asarray(seen, np.uint64))
        (aside / "checkpoint.json").write_text(json.dumps(described, indent=2, ensure_ascii=False) + "\n")


def load_checkpoint(directory: str | os.PathLike) -> Checkpoint:
    """The checkpoint at `directory`.

    Raises:
        InputError: no checkpoint there, or one that is incomplete, damaged or of another format.
    """
    directory = pathlib.Path(directory)
    files.check_manifest(directory, "checkpoint")
    described = json.loads((directory / "checkpoint.json").read_text())
    if described["format"] != FORMAT:
        raise InputError(
            f"{directory / 'checkpoint.json'}: format {described['format']!r} of another version of this software, "
            f"expected {FORMAT}; train or convert it again"
        )
    encoder = Encoder(families.family(described["family"]).Config(**described["config"]))
    head = make_head(encoder, **described["head"]) if described["head"] else None
    like = {"encoder": encoder.shapes()} | ({"head": head.shapes()} if head else {})
    return Checkpoint(
        encoder=encoder,
        params=jax.device_put(load_tree(directory / "params", like)),
        head=head,
        labels=None if described["labels"] is None else tuple(described["labels"]),
        task=described["task"],
        tokenizer=load_tokenizer(directory / "tokenizer") if (directory / "tokenizer").is_dir() else None,
        seen=load_seen(directory),
        provenance=described["provenance"],
    )


def load_seen(directory: str | os.PathLike) -> np.ndarray:
    """The digests of the text that a checkpoint saw: uint64 [n]."""
    return np.load(pathlib.Path(directory) / "seen.npy")


def convert(source: str | os.PathLike, destination: str | os.PathLike) -> None:
    """A Hugging Face directory to a checkpoint directory: encoder, head if it has one that we know, tokenizer.

    Raises:
        InputError: as `from_pretrained` and `load_tokenizer`.
    """
    path = pathlib.Path(source) / "config.json"
    try:
        architectures = json.loads(path.read_text(encoding="utf-8")).get("architectures") or [""]
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: expected the config of a Hugging Face checkpoint ({error})") from error
    if "For" in architectures[0]:
        encoder, head, params, labels = load_model(source)
    else:
        encoder, params = from_pretrained(source)
        params, head, labels = {"encoder": params}, None, None
    save_checkpoint(destination, encoder, params, head, labels, tokenizer=load_tokenizer(source))


def export_checkpoint(source: str | os.PathLike, destination: str | os.PathLike) -> None:
    """A checkpoint directory to one that `transformers` loads, tokenizer included.

    Raises:
        InputError: no such checkpoint, or a head that Hugging Face does not have.
    """
    saved = load_checkpoint(source)
    export(
        destination, saved.encoder, saved.params if saved.head else saved.params["encoder"], saved.head, saved.labels
    )
    if saved.tokenizer is not None:
        saved.tokenizer.save(destination)
