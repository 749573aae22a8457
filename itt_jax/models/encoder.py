"""The one interface of every encoder: a pure function on plain dict parameters. Families are in `itt_jax.families`."""

import dataclasses
import functools
import importlib
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int, PRNGKeyArray

from itt_jax import errors, families
from itt_jax.families import EncoderConfig
from itt_jax.models.inputs import EncoderInputs
from itt_jax.models.layers import Execution, round_factors

Params = dict[str, Any]


def _module(family: str) -> ModuleType:
    """The module that computes a family's encoders, imported on first use."""
    return importlib.import_module(families.family(family).module)


@functools.lru_cache(maxsize=64)
def _split(config: EncoderConfig, dtype: Any, factors: Any) -> tuple[nnx.GraphDef, nnx.State]:
    """The structure of the encoder, found once per config without allocating a parameter."""
    model = nnx.eval_shape(lambda: _module(config.family).Model(config, dtype=dtype, rngs=nnx.Rngs(0)))
    round_factors(model, factors)
    return nnx.split(model)


@dataclasses.dataclass(frozen=True)
class Encoder:
    """Tokens in, hidden states out. Hashable: close over it, or pass it to jit as a static argument.

    Attributes:
        config: sizes and rates, the family's Config.
        dtype: dtype of activations; parameters, LayerNorm and softmax stay float32.
        factors: dtype to which products with parameters round both factors; None: that of activations.
        attention, remat, scan_layers: how it computes, see `layers.Execution`.
    """

    config: EncoderConfig
    dtype: Any = jnp.float32
    factors: Any = None
    attention: str = "auto"
    remat: bool = False
    scan_layers: bool = False

    @property
    def family(self) -> str:
        """Name of the family."""
        return self.config.family

    @property
    def plain(self) -> "Encoder":
        """The encoder without `remat` and `scan_layers`, which change results only by rounding."""
        return dataclasses.replace(self, remat=False, scan_layers=False)

    @property
    def width(self) -> int:
        return self.config.width

    @property
    def max_positions(self) -> int | None:
        """Longest example in tokens; None if the encoder has no limit (XLNet)."""
        return self.config.max_positions

    @property
    def language_model(self) -> str:
        """Kind of head of the family's pretraining objective."""
        return families.family(self.family).language_model

    @property
    def reads_places(self) -> bool:
        """Whether it can leave out hidden states that nothing reads, see `EncoderInputs.places`."""
        return families.family(self.family).reads_places

    def shapes(self) -> Params:
        """The parameters' shapes: nested dict of jax.ShapeDtypeStruct (float32)."""
        # A description may name any number of layers, and the time to trace them grows with its square.
        two = dataclasses.replace(self.config, layers=min(self.config.layers, 2))
        found = nnx.to_pure_dict(_split(two, self.dtype, self.factors)[1])
        names = sorted(str(i) for i in range(self.config.layers))
        return found | {"layers": {name: found["layers"]["0" if name == "0" else "1"] for name in names}}

    def init(self, key: PRNGKeyArray) -> Params:
        """Parameters as Hugging Face initialises them: normal(initializer_range), zeros for biases, ones for scales."""
        model = _module(self.family).Model(self.config, dtype=self.dtype, rngs=nnx.Rngs(key))
        return nnx.to_pure_dict(nnx.state(model))

    def word_embeddings(self, params: Params) -> Float[Array, "V D"]:
        """The table that input ids index (and that language-model heads share)."""
        return _module(self.family).word_embeddings(params)

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
        **inputs: Array | None,
    ) -> Float[Array, "B T D"] | tuple[Float[Array, "B T D"], ...]:
        """Hidden states of the last layer, or of the embeddings and all L layers (a tuple of L + 1).

        Args:
            params: as `init`; float32.
            input_ids, attention_mask, token_type_ids, position_ids, segment_ids: see `EncoderInputs`.
            key: dropout key; None means no dropout.
            inputs: further fields of `EncoderInputs`: input_embeddings; places, with which the result is [B, P, D];
                XLNet's perm_mask and target_mapping.

        Raises:
            InputError: an input that the family does not read, a row longer than its position table, or, outside of
                jit, ids beyond a table; inside of jit these give NaN.
        """
        given = EncoderInputs(input_ids, attention_mask, token_type_ids, position_ids, segment_ids, **inputs)
        if given.places is not None and (all_layers or given.target_mapping is not None or not self.reads_places):
            raise errors.InputError(
                f"places: expected a family that reads them, no all_layers, no target_mapping (is {self.family})"
            )
        self._check_ids(given)
        return self._model(params)(given, key=key, all_layers=all_layers, execution=self._execution)

    def with_memories(
        self,
        params: Params,
        input_ids: Int[Array, "B T"],
        *,
        mems: list[Float[Array, "B M D"]] | None = None,
        key: PRNGKeyArray | None = None,
        all_layers: bool = False,
        **inputs: Array | None,
    ) -> tuple[Float[Array, "B T D"] | tuple[Float[Array, "B T D"], ...], list[Float[Array, "B M D"]]]:
        """(hidden states, memories for the next call) of an XLNet.

        Args:
            mems: memories of the previous call. inputs: further fields of `EncoderInputs`. The rest as `__call__`.

        Raises:
            InputError: the family has no memories.
        """
        model = self._model(params)
        if not hasattr(model, "with_memories"):
            raise errors.InputError(f"memories: {self.family} has none")
        given = EncoderInputs(input_ids, **inputs)
        self._check_ids(given)
        return model.with_memories(given, mems, key=key, all_layers=all_layers, execution=self._execution)

    def _check_ids(self, inputs: EncoderInputs) -> None:
        """Checks ids whose values are known, that is, outside of jit."""
        tables = {"token_type_ids": "token_types", "position_ids": "position_rows"}
        if inputs.input_embeddings is None:
            tables["input_ids"] = "vocabulary_size"
        for name, field in tables.items():
            ids, rows = getattr(inputs, name), getattr(self.config, field, None)
            if ids is None or rows is None or isinstance(ids, jax.core.Tracer) or not np.size(ids):
                continue
            known = np.asarray(ids)  # inside of jit, jax.numpy would trace the comparison of known ids too
            low, high = known.min(), known.max()
            if low < 0 or high >= rows:
                raise errors.InputError(
                    f"{name}: found {low if low < 0 else high}, expected 0 to {rows - 1} "
                    f"({self.config.names[field]} {rows})"
                )

    def _model(self, params: Params) -> nnx.Module:
        return nnx.merge(_split(self.config, self.dtype, self.factors)[0], params)

    @property
    def _execution(self) -> Execution:
        return Execution(self.attention, self.remat, self.scan_layers)


def make_encoder(family: str, *, dtype: Any = jnp.float32, **sizes: Any) -> Encoder:
    """An encoder of chosen sizes, to be initialised with `init`.

    Args:
        family: name of a family ("bert").
        sizes: fields of the family's Config (layers, width, heads, feed_forward, vocabulary_size, pad_id, ...), so
            `make_encoder(family, **dataclasses.asdict(config))` gives an encoder back. feed_forward defaults to four
            widths, and pad_id to 0 if the family's is beyond the vocabulary. `max_positions`, the longest example in
            tokens, sizes the position table of families that have one (RoBERTa's has pad_id + 1 rows more); XLNet
            ignores it.

    Raises:
        InputError: unknown family or field, or sizes that do not fit together.
    """
    found = families.family(family)
    longest = sizes.pop("max_positions", None)
    for name in sizes:
        if name not in found.fields:
            raise errors.unknown(f"size of {family}", name, found.fields | {"max_positions"})
    if "width" in sizes:
        sizes.setdefault("feed_forward", 4 * sizes["width"])
    usual = {field.name: field.default for field in dataclasses.fields(found.Config)}
    if (usual["pad_id"] or 0) >= sizes.get("vocabulary_size", usual["vocabulary_size"]):
        sizes.setdefault("pad_id", 0)
    if longest is not None and "max_positions" in found.fields:
        sizes["max_positions"] = longest
    if longest is not None and "position_rows" in found.fields:
        first = found.Config.first_position(sizes.get("pad_id", usual["pad_id"]))
        sizes["position_rows"] = longest + first
    return Encoder(found.Config(**sizes), dtype)
