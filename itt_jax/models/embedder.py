"""How an encoder without a head turns a text into a vector, and how files of sentence-transformers describe it."""

import dataclasses
import pathlib
from typing import Any, Literal, Self

from itt_jax import files
from itt_jax.errors import InputError
from itt_jax.models.checkpoint_files import CONFIG, WEIGHTS, read_json
from itt_jax.models.sentence_modules import Dense, Module, Normalize

MODULES, SETTINGS, PROMPTS = "modules.json", "sentence_bert_config.json", "config_sentence_transformers.json"
MOST_WEIGHT_BYTES = 1 << 30
"Size of the largest dense layer that is read: 16,384 numbers in and out."
DENSE = "Dense"
_MEAN, _CLS = "pooling_mode_mean_tokens", "pooling_mode_cls_token"


@dataclasses.dataclass(frozen=True)
class Embedder:
    """How a text's vector is made; vectors are compared by their cosines, so their length does not matter.

    Attributes:
        pooling: "mean" over all of its tokens, special tokens included, or "cls", the state of its summary token.
        layer: the layer that is read: 0 is the embeddings; None the last.
        prefix: precedes every text, and is never perturbed.
        modules: change the pooled vector, in order.
    """

    pooling: Literal["mean", "cls"] = "mean"
    layer: int | None = None
    prefix: str = ""
    modules: tuple[Module, ...] = dataclasses.field(default=(), metadata={"later": True})

    def pooled_by(self, given: str) -> Self:
        """The same with a pooling as the command line writes it: "mean", "cls" or "layer:K", the mean of layer K.

        Raises:
            InputError: it is none of these.
        """
        name, _, layer = given.partition(":")
        if given in ("mean", "cls"):
            return dataclasses.replace(self, pooling="mean" if given == "mean" else "cls", layer=None)
        if name == "layer" and layer.isdecimal():
            return dataclasses.replace(self, pooling="mean", layer=int(layer))
        raise InputError(f"--pooling {given!r:.80}: expected mean, cls or layer:K with the number of a layer")

    def of(self, layers: int) -> Self:
        """The same with the number of its layer in an encoder of `layers` layers.

        Raises:
            InputError: the encoder lacks it.
        """
        return dataclasses.replace(self, layer=self.layer_of(layers))

    def layer_of(self, layers: int) -> int:
        """The number of its layer in an encoder of `layers` layers; raises as `of`."""
        layer = layers if self.layer is None else self.layer
        if not 0 <= layer <= layers:
            raise InputError(
                f"--pooling layer:{layer}: the encoder has {layers} layers; expected 0 (embeddings) to {layers}"
            )
        return layer

    def __str__(self) -> str:
        where = "the last layer" if self.layer is None else f"layer {self.layer}"
        what = "mean of" if self.pooling == "mean" else "summary token in"
        changes = "".join(f", then {module}" for module in self.modules)
        return f"{what} {where}{changes}" + (f", with prefix {self.prefix!r}" if self.prefix else "")


@dataclasses.dataclass(frozen=True)
class SentenceModel:
    """The content of sentence-transformers' files.

    Attributes:
        embedder: with the prefix that the user chooses, without the pooling.
        max_length: maximum tokens of a text; None: not stated.
    """

    embedder: Embedder
    max_length: int | None


def read_sentence_model(
    folder: pathlib.Path, pooling: str | None = None, prefix: str | None = None
) -> SentenceModel | None:
    """The sentence-transformers model in a checkpoint directory; None if there is no modules.json.

    Args:
        pooling: the user's choice, which replaces the modules after the encoder.
        prefix: the user's choice, which replaces the default prompt.

    Raises:
        InputError: an unsupported module (other than encoder, pooling by mean or cls, dense layers and normalisation),
            or malformed files.
    """
    if not files.exists(folder / MODULES):
        return None
    prefix = _default_prompt(folder) if prefix is None else prefix
    embedder = Embedder(prefix=prefix) if pooling else _from_modules(folder, prefix)
    settings = _optional(folder / SETTINGS)
    length = settings.get("max_seq_length")
    if length is not None and (type(length) is not int or length < 1):
        raise InputError(f"{folder / SETTINGS}: max_seq_length: expected a number, found {length!r}")
    if settings.get("do_lower_case"):
        raise InputError(f"{folder / SETTINGS}: do_lower_case is not supported; expected false")
    return SentenceModel(embedder, length)


def sentence_files(folder: pathlib.Path) -> dict[str, bytes]:
    """The files that `read_sentence_model` reads: name -> content; none without modules.json.

    Raises:
        InputError: a malformed modules.json.
    """
    path = folder / MODULES
    if not files.exists(path):
        return {}
    modules = [_module(module, path) for module in read_json(path, list)]
    names = [MODULES, SETTINGS, PROMPTS, *(f"{place}/{CONFIG}" for _, place in modules if place)]
    names += [f"{place}/{WEIGHTS}" for kind, place in modules if kind == DENSE]
    return {name: files.read_bytes(folder / name, MOST_WEIGHT_BYTES) for name in names if files.exists(folder / name)}


def _from_modules(folder: pathlib.Path, prefix: str) -> Embedder:
    """The embedder that the modules describe."""
    path = folder / MODULES
    modules = [_module(module, path) for module in read_json(path, list)]
    kinds = [kind for kind, _ in modules]
    if kinds[:2] != ["Transformer", "Pooling"] or not {*kinds[2:]} <= {DENSE, "Normalize"} or modules[0][1]:
        raise InputError(
            f"{path}: expected Transformer and Pooling, then Dense or Normalize if any, with the encoder beside it; "
            f"found {', '.join(f'{kind} ({place})' if place else kind for kind, place in modules)}; with --pooling the "
            "encoder is read without them"
        )
    where = folder / modules[1][1] / CONFIG
    config = read_json(where)
    modes = sorted(name for name, value in config.items() if name.startswith("pooling_mode_") and value)
    if "pooling_mode" in config:
        given = config["pooling_mode"]
        modes = [{"mean": _MEAN, "cls": _CLS}.get(str(mode), str(mode)) for mode in _as_list(given)]
    if modes not in ([_MEAN], [_CLS]):
        raise InputError(f"{where}: expected {_MEAN} or {_CLS}, found {', '.join(modes) or 'no pooling'}")
    if config.get("include_prompt") is False and prefix:
        raise InputError(f"{where}: include_prompt false is not supported with a prompt; expected true")
    changes = [Normalize() if kind == "Normalize" else Dense.described(folder, place) for kind, place in modules[2:]]
    while changes and changes[-1] == Normalize():  # only cosines are read
        changes.pop()
    return Embedder("mean" if modes == [_MEAN] else "cls", prefix=prefix, modules=tuple(changes))


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _module(module: Any, path: pathlib.Path) -> tuple[str, str]:
    """The class of a module, and its folder, "" for that of modules.json."""
    kind, place = (module.get(name) if isinstance(module, dict) else None for name in ("type", "path"))
    if not isinstance(kind, str) or not files.is_inside(place):
        raise InputError(f"{path}: expected modules with type and path, found {module!r:.80}")
    place = "/".join(pathlib.PurePosixPath(place).parts)
    package, _, name = kind.rpartition(".")  # the packages between have changed, and the class has kept its name
    kind = name if package.startswith("sentence_transformers.") else kind
    if kind == DENSE and not place:
        raise InputError(f"{path}: expected a folder for each dense layer, found the encoder's, {module!r:.80}")
    return kind, place


def _default_prompt(folder: pathlib.Path) -> str:
    """The text that precedes every text if the user names none."""
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
    return read_json(path) if files.exists(path) else {}
