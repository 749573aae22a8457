"""The one interface of every encoder: a pure function on plain dict parameters.

A family is one module of this package (bert, roberta, xlnet) that provides

    Config     frozen dataclass of sizes and rates. Fields of every family: vocabulary_size, width, layers, heads,
               feed_forward, activation, initializer_range, layer_norm_epsilon, pad_id. Class attribute `family`;
               property `max_positions` (longest example, None without a limit); property `pooler` (does the
               encoder own a pooler: params["pooler"]); `from_huggingface(values: dict) -> Config`, an InputError
               naming the key and value that we do not support; `to_huggingface() -> dict`, with model_type.
    Model      nnx.Module, `Model(config, *, dtype, rngs)`. Called with the arguments of `Encoder.__call__` and
               `execution`, how to compute.
               Layers live in an nnx.Dict keyed "0", "1", ...: every parameter path is made of strings.
    PREFIX     what Hugging Face puts before the encoder's keys in a model with a head ("bert").
    KEYS       tuple of (Hugging Face key without prefix, our dotted path, transpose): both directions of
               checkpoint conversion. "{i}" stands for a layer. transpose is True for matrices that PyTorch keeps
               as [out, in]. Rows whose path this config's Model does not have (a pooler) are left out.
    word_embeddings(params) -> [V, D]      the table that input ids index.
"""

import dataclasses
import functools
import importlib
from types import ModuleType
from typing import Any

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int, PRNGKeyArray

from itt_jax import errors
from itt_jax.models.layers import Execution

FAMILIES = ("bert", "roberta", "xlnet")
Params = dict[str, Any]


def family_module(family: str) -> ModuleType:
    """The module of a family, imported on first use.

    Raises:
        InputError: the family is unknown.
    """
    if family not in FAMILIES:
        raise errors.unknown("encoder family", family, FAMILIES)
    return importlib.import_module(f"itt_jax.models.{family}")


@functools.lru_cache(maxsize=64)
def _split(config: Any, dtype: Any) -> tuple[nnx.GraphDef, nnx.State]:
    """The structure of the encoder, found without allocating a parameter; done once a config."""
    model = family_module(config.family).Model
    return nnx.split(nnx.eval_shape(lambda: model(config, dtype=dtype, rngs=nnx.Rngs(0))))


@dataclasses.dataclass(frozen=True)
class Encoder:
    """Tokens in, hidden states out. Hashable: close over it, or pass it to jit as a static argument.

    Attributes:
        config: the family's Config.
        dtype: of activations and matrix products; parameters, LayerNorm and softmax stay float32.
        attention, remat, scan_layers: how it computes, see layers.Execution.
    """

    config: Any
    dtype: Any = jnp.float32
    attention: str = "auto"
    remat: bool = False
    scan_layers: bool = False

    @property
    def family(self) -> str:
        return self.config.family

    @property
    def width(self) -> int:
        return self.config.width

    @property
    def max_positions(self) -> int | None:
        """The longest example in tokens; None where the encoder has no limit (XLNet)."""
        return self.config.max_positions

    def shapes(self) -> Params:
        """The parameters' shapes: nested dict of jax.ShapeDtypeStruct (float32)."""
        return nnx.to_pure_dict(_split(self.config, self.dtype)[1])

    def init(self, key: PRNGKeyArray) -> Params:
        """Parameters as Hugging Face initialises them: normal(initializer_range), zeros for biases, ones for scales."""
        model = family_module(self.family).Model(self.config, dtype=self.dtype, rngs=nnx.Rngs(key))
        return nnx.to_pure_dict(nnx.state(model))

    def word_embeddings(self, params: Params) -> Float[Array, "V D"]:
        """The table that input ids index (and that LM heads share)."""
        return family_module(self.family).word_embeddings(params)

    def __call__(
        self,
        params: Params,
        input_ids: Int[Array, "B T"],
        attention_mask: Int[Array, "B T"] | None = None,
        token_type_ids: Int[Array, "B T"] | None = None,
        position_ids: Int[Array, "B T"] | None = None,
        segment_ids: Int[Array, "B T"] | None = None,
        *,
        key: PRNGKeyArray | None = None,
        all_layers: bool = False,
        input_embeddings: Float[Array, "B T D"] | None = None,
        **family_only: Any,
    ) -> Float[Array, "B T D"] | tuple[Float[Array, "B T D"], ...]:
        """Hidden states of the last layer, or of the embeddings and all L layers (a tuple of L + 1).

        Args:
            params: as `init`; float32.
            input_ids: int32. attention_mask: 1 for real tokens (default all; with segments: segment > 0).
            token_type_ids: default 0. position_ids: row of the position table (Hugging Face's meaning); default as
                Hugging Face derives them, restarting at each segment. XLNet has none and raises.
            segment_ids: packed rows; 0 is padding, 1.. the examples of a row. Attention stays inside a segment.
            key: of dropout; None means no dropout.
            input_embeddings: take the place of the word embeddings (input_ids still give RoBERTa's positions).
            family_only: perm_mask [B, T, T] (1: i must not see j) and target_mapping [B, P, T] of XLNet.
        """
        model = nnx.merge(_split(self.config, self.dtype)[0], params)
        return model(
            input_ids,
            attention_mask,
            token_type_ids,
            position_ids,
            segment_ids,
            key=key,
            all_layers=all_layers,
            input_embeddings=input_embeddings,
            execution=self._execution,
            **family_only,
        )

    def with_memories(
        self, params: Params, input_ids: Int[Array, "B T"], *args: Any, mems: list[Array] | None = None, **options: Any
    ) -> tuple[Float[Array, "B T D"], list[Array]]:
        """(hidden states, new memories) of an XLNet; arguments as `__call__`, plus `mems` of the call before.

        Raises:
            InputError: the family has no memories.
        """
        model = nnx.merge(_split(self.config, self.dtype)[0], params)
        if not hasattr(model, "with_memories"):
            raise errors.InputError(f"memories: {self.family} has none; only xlnet keeps memories")
        return model.with_memories(input_ids, *args, mems=mems, execution=self._execution, **options)

    @property
    def _execution(self) -> Execution:
        return Execution(self.attention, self.remat, self.scan_layers)


def make_encoder(family: str, *, dtype: Any = jnp.float32, **sizes: Any) -> Encoder:
    """An encoder of chosen sizes, to be initialised with `init`.

    Args:
        family: "bert", "roberta" or "xlnet".
        sizes: fields of the family's Config (layers, width, heads, feed_forward, vocabulary_size, pad_id, ...), so
            `make_encoder(family, **dataclasses.asdict(config))` gives an encoder back. feed_forward defaults to four
            widths. `max_positions`, the longest example in tokens, sizes the position table of families that have
            one (RoBERTa's has pad_id + 1 rows more) and is ignored by XLNet.

    Raises:
        InputError: unknown family or field, or sizes that do not fit together.
    """
    config_class = family_module(family).Config
    fields = {field.name for field in dataclasses.fields(config_class) if field.init}
    longest = sizes.pop("max_positions", None)
    for name in sizes:
        if name not in fields:
            raise errors.unknown(f"size of {family}", name, fields | {"max_positions"})
    if "width" in sizes:
        sizes.setdefault("feed_forward", 4 * sizes["width"])
    if longest is not None and "position_rows" in fields:
        pad_id = sizes.get("pad_id", config_class.pad_id)
        sizes["position_rows"] = longest + (pad_id + 1 if family == "roberta" else 0)
    return Encoder(config_class(**sizes), dtype)
