"""The files of a checkpoint directory: read completely or refused, written atomically."""

import dataclasses
import json
import pathlib
from typing import Any

import numpy as np

from itt_jax import files
from itt_jax.errors import InputError
from itt_jax.reading.text import parse_object

Tensors = dict[str, np.ndarray]

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
ADAPTER = "adapter_config.json"

FLOATS = ("F16", "BF16", "F32", "F64")
"""Dtypes of parameters, under safetensors' names."""

HUB_FILES = ["*.json", "*.txt", "*.model", "*.safetensors"]
"""Files downloaded from a hub repository: nothing pickled, nothing of other frameworks."""


IN_STAGE = "checkpoint"
"""Name of the folder that holds a stage's checkpoint (OUT/stages/<id>/checkpoint)."""


def checkpoint_folder(path: str | pathlib.Path) -> pathlib.Path:
    """The folder of a checkpoint: the directory itself or, in the folder of a stage, the checkpoint that it holds.

    Raises:
        InputError: it is the folder of a stage that has no checkpoint.
    """
    path = pathlib.Path(path)
    if (path / IN_STAGE).is_dir():
        return path / IN_STAGE
    if (path / "record.json").is_file():
        raise InputError(
            f"{path}: this stage's checkpoint was removed (save_checkpoints of its study); expected a stage with one"
        )
    out = path.absolute().parent.parent
    if path.absolute().parent.name == "stages" and (out / "plan.json").is_file():
        raise InputError(f"{path}: this stage has no checkpoint yet; `run` with --out {out} makes planned stages")
    return path


def checkpoint_name(path: str | pathlib.Path) -> str:
    """The name of a checkpoint in tables: that of its directory, or of its stage's."""
    path = pathlib.Path(path).resolve()
    return path.parent.name if path.name == IN_STAGE else path.name


def local_folder(name: str | pathlib.Path) -> pathlib.Path:
    """The folder of a checkpoint or tokenizer: a directory, or the local copy of a Hugging Face hub id.

    Raises:
        InputError: no such directory, and no such repository on the hub or no access to it.
    """
    path = pathlib.Path(name)
    if path.is_dir():
        return checkpoint_folder(path)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        return pathlib.Path(snapshot_download(str(name), allow_patterns=HUB_FILES, ignore_patterns=["*/*"]))
    except HFValidationError as error:
        raise InputError(f"checkpoint {name}: neither a directory nor a hub id") from error
    except (OSError, HfHubHTTPError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"checkpoint {name}: no such directory, and not available from the hub ({first})") from error


@dataclasses.dataclass(frozen=True)
class StoredTensor:
    """A tensor of an open safetensors file; its values are read on demand.

    Attributes:
        file: safetensors' handle. name: its key there.
        dtype: under safetensors' name ("F32"). shape: as in PyTorch.
    """

    file: Any
    name: str
    dtype: str
    shape: tuple[int, ...]

    def read(self) -> np.ndarray:
        """The values, of one of `FLOATS`."""
        return self.file.get_tensor(self.name)


def read_json(path: pathlib.Path, kind: type = dict) -> Any:
    """The object in a JSON file, or the list if `kind` is list.

    Raises:
        InputError: no such file, a very large or unreadable one, or its content is of another kind.
    """
    if not files.exists(path):
        raise InputError(f"{path!s:.200}: no such file; expected a checkpoint directory")
    return parse_object(files.read_bytes(path), f"{path}", kind)


def stored_tensors(directory: pathlib.Path, missing: list[str]) -> dict[str, StoredTensor]:
    """All tensors of the single file or of the shards; keys of the index that their shard lacks go to `missing`.

    Raises:
        InputError: no such file; truncated or corrupt ones, all of which are named; or an index that names anything but
            files of the directory.
    """
    if files.exists(directory / WEIGHTS):
        return _stored(directory / WEIGHTS)
    if not files.exists(directory / INDEX):
        raise InputError(f"{directory}: neither {WEIGHTS} nor {INDEX}; pickled weights are not read")
    places = read_json(directory / INDEX).get("weight_map")
    if not isinstance(places, dict) or not places:
        raise InputError(f"{directory / INDEX}: expected a weight_map")
    for name, shard in places.items():
        if not files.is_inside(shard) or "/" in shard or not shard.endswith(".safetensors"):
            raise InputError(
                f"{directory / INDEX}: weight_map: {name!r:.100} is in {shard!r:.100}, expected the name of a "
                "safetensors file beside the index"
            )
    problems: list[str] = []
    tensors: dict[str, StoredTensor] = {}
    for shard in sorted(set(places.values())):
        try:
            tensors |= _stored(directory / shard)
        except InputError as error:
            problems.append(str(error))
    if problems:
        raise InputError("; ".join(problems))
    missing += [f"{name} (in {shard} according to the index)" for name, shard in places.items() if name not in tensors]
    return tensors


def _stored(path: pathlib.Path) -> dict[str, StoredTensor]:
    from safetensors import SafetensorError, safe_open

    try:
        if not files.exists(path):
            raise InputError(f"{path!s:.200}: no such file")
        file = safe_open(path, framework="numpy")
        slices = {name: file.get_slice(name) for name in file.keys()}
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: not a complete safetensors file ({error!s:.200})") from error
    return {
        name: StoredTensor(file, name, str(own.get_dtype()), tuple(own.get_shape())) for name, own in slices.items()
    }


def write_tensors(path: pathlib.Path, tensors: Tensors) -> None:
    """Write a safetensors file that PyTorch users of `transformers` can load."""
    from safetensors.numpy import save_file

    with files.new_file(path) as partial:
        partial.touch()
        mode = partial.stat().st_mode  # follows the umask; safetensors replaces the file by one of mode 600
        save_file(tensors, partial, metadata={"format": "pt"})
        partial.chmod(mode)


def write_config(path: pathlib.Path, config: dict[str, Any]) -> None:
    """Write a config.json with sorted keys."""
    files.write_text(path, json.dumps(config, indent=2, sort_keys=True) + "\n")
