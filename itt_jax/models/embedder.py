"""How an encoder without a head turns a text into a vector, and what the files of sentence-transformers say of it."""

import dataclasses
import os
import pathlib
from typing import Any, Literal, Self

from itt_jax.errors import InputError
from itt_jax.models.checkpoint_files import read_json

MODULES, SETTINGS, PROMPTS = "modules.json", "sentence_bert_config.json", "config_sentence_transformers.json"
_MEAN, _CLS = "pooling_mode_mean_tokens", "pooling_mode_cls_token"


@dataclasses.dataclass(frozen=True)
class Embedder:
    """A text's vector; vectors are compared by their cosines, so their length does not matter.

    Attributes:
        pooling: "mean" over all of its tokens, special tokens included, or "cls", the state of its summary token.
        layer: the layer that is read: 0 is the embeddings; None the last.
        prefix: precedes every text, and is never perturbed.
    """

    pooling: Literal["mean", "cls"] = "mean"
    layer: int | None = None
    prefix: str = ""

    def pooled_by(self, given: str) -> Self:
        """The same with a pooling as the command line writes it: "mean", "cls" or "layer:K", the mean of layer K.

        Raises:
            InputError: it is none of these.
        """
        name, _, layer = given.partition(":")
        if given in ("mean", "cls"):
            return dataclasses.replace(self, pooling=given, layer=None)
        if name == "layer" and layer.isdecimal():
            return dataclasses.replace(self, pooling="mean", layer=int(layer))
        raise InputError(f"--pooling {given!r:.80}: expected mean, cls or layer:K with the number of a layer")

    def of(self, layers: int) -> Self:
        """The same with the number of its layer, in an encoder with so many.

        Raises:
            InputError: the encoder lacks it.
        """
        layer = layers if self.layer is None else self.layer
        if not 0 <= layer <= layers:
            raise InputError(
                f"--pooling layer:{layer}: the encoder has {layers} layers; expected 0 (embeddings) to {layers}"
            )
        return dataclasses.replace(self, layer=layer)

    def __str__(self) -> str:
        where = "the last layer" if self.layer is None else f"layer {self.layer}"
        what = "mean of" if self.pooling == "mean" else "summary token in"
        return f"{what} {where}" + (f", with prefix {self.prefix!r}" if self.prefix else "")


@dataclasses.dataclass(frozen=True)
class SentenceModel:
    """What sentence-transformers' files say.

    Attributes:
        embedder: without a pooling that the user chooses.
        max_length: maximum tokens of a text; None: they do not say.
    """

    embedder: Embedder
    max_length: int | None


def read_sentence_model(folder: pathlib.Path, pooling: str | None = None) -> SentenceModel | None:
    """The sentence-transformers model in a checkpoint directory; None where there is no modules.json.

    Args:
        pooling: what the user chooses in place of the modules after the encoder.

    Raises:
        InputError: a module that is not followed (others than encoder, pooling by mean or cls, and normalisation), or
            malformed files.
    """
    if not (folder / MODULES).is_file():
        return None
    embedder = Embedder() if pooling else _from_modules(folder)
    settings = _optional(folder / SETTINGS)
    length = settings.get("max_seq_length")
    if length is not None and (type(length) is not int or length < 1):
        raise InputError(f"{folder / SETTINGS}: max_seq_length: expected a number, found {length!r}")
    if settings.get("do_lower_case"):
        raise InputError(f"{folder / SETTINGS}: do_lower_case is not supported; expected false")
    return SentenceModel(dataclasses.replace(embedder, prefix=_default_prompt(folder)), length)


def sentence_files(folder: pathlib.Path) -> dict[str, bytes]:
    """The files that `read_sentence_model` reads: name -> content; none without modules.json.

    Raises:
        InputError: a malformed modules.json.
    """
    path = folder / MODULES
    if not path.is_file():
        return {}
    places = [place for _, place in (_module(module, path) for module in read_json(path, list)) if place]
    names = [MODULES, SETTINGS, PROMPTS, *(f"{place}/config.json" for place in places)]
    return {name: (folder / name).read_bytes() for name in names if os.path.isfile(folder / name)}


def _from_modules(folder: pathlib.Path) -> Embedder:
    """The pooling that the modules describe."""
    path = folder / MODULES
    modules = [_module(module, path) for module in read_json(path, list)]
    kinds = [kind for kind, _ in modules]
    # Normalisation is followed by doing nothing: only cosines are read.
    if kinds not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]) or modules[0][1]:
        raise InputError(
            f"{path}: expected Transformer, Pooling and perhaps Normalize, with the encoder beside it; found "
            f"{', '.join(f'{kind} ({place})' if place else kind for kind, place in modules)}; with --pooling the "
            "encoder is read alone"
        )
    where = folder / modules[1][1] / "config.json"
    config = read_json(where)
    modes = sorted(name for name, value in config.items() if name.startswith("pooling_mode_") and value)
    if "pooling_mode" in config:
        mode = str(config["pooling_mode"])
        modes = [{"mean": _MEAN, "cls": _CLS}.get(mode, mode)]
    if modes not in ([_MEAN], [_CLS]):
        raise InputError(f"{where}: expected {_MEAN} or {_CLS}, found {', '.join(modes) or 'no pooling'}")
    if config.get("include_prompt") is False and _default_prompt(folder):
        raise InputError(f"{where}: include_prompt false is not supported; expected true")
    return Embedder("mean" if modes == [_MEAN] else "cls")


def _module(module: Any, path: pathlib.Path) -> tuple[str, str]:
    """The class of a module, and its folder."""
    kind, place = (module.get(name) if isinstance(module, dict) else None for name in ("type", "path"))
    if not isinstance(kind, str) or not isinstance(place, str) or ".." in place or place.startswith("/"):
        raise InputError(f"{path}: expected modules with type and path, found {module!r:.80}")
    return kind.rpartition(".")[2], place


def _default_prompt(folder: pathlib.Path) -> str:
    """The text that precedes every text where the user names none."""
    path = folder / PROMPTS
    config = _optional(path)
    name = config.get("default_prompt_name")
    if name is None:
        return ""
    prompts = config.get("prompts")
    if not isinstance(prompts, dict) or not isinstance(name, str) or not isinstance(prompts.get(name), str):
        raise InputError(f"{path}: expected a prompt named {name!r:.80}, the default, found {prompts!r:.80}")
    return prompts[name]


def _optional(path: pathlib.Path) -> dict[str, Any]:
    return read_json(path) if path.is_file() else {}
