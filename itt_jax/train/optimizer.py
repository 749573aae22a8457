"""AdamW as in the encoders' papers: decay mask, warm-up and decay, clipping, and a factor for embedding tables."""

import dataclasses
import functools
import re
from typing import Any, Literal

import jax
import jax.numpy as jnp
import optax

from itt_jax.config import Recipe
from itt_jax.train.state import Params, Rates

# Biases (XLNet's r_w_bias etc. included) and norms are never decayed, as in BERT's, RoBERTa's and XLNet's code.
NO_DECAY = re.compile(r"bias|norm|scale", re.IGNORECASE)
EMBEDDINGS = re.compile(r"^encoder/.*/embedding$")


def path_name(path: tuple) -> str:
    """A parameter's path as one string, "encoder/layers/0/attention/query/kernel"."""
    return jax.tree_util.keystr(path, simple=True, separator="/")


def matches(pattern: re.Pattern, params: Params) -> Any:
    """A tree of bool like `params`: whether `pattern` occurs in each parameter's path."""
    return jax.tree_util.tree_map_with_path(lambda path, _: bool(pattern.search(path_name(path))), params)


@dataclasses.dataclass(frozen=True)
class Optimizer:
    """The part of a recipe that shapes the compiled program; numbers that vary between runs are in `Rates`.

    `frozen_embeddings` drops the gradients and moments of the embedding tables, so that clipping ignores them.
    """

    schedule: Literal["linear", "cosine", "constant"]
    weight_decay: float
    clip_norm: float
    beta1: float
    beta2: float
    epsilon: float
    frozen_embeddings: bool

    def init(self, params: Params) -> Any:
        """The optax state for `params`."""
        return self._transformation().init(params)

    def trainable(self, params: Params) -> Params:
        """`params` with gradients stopped at frozen tables."""
        if not self.frozen_embeddings:
            return params
        return jax.tree.map(
            lambda leaf, frozen: jax.lax.stop_gradient(leaf) if frozen else leaf, params, matches(EMBEDDINGS, params)
        )

    def apply(
        self, params: Params, gradients: Params, weight: jax.Array, state: Any, rates: Rates, step: jax.Array
    ) -> tuple[Params, Any, jax.Array]:
        """One step.

        Args:
            gradients: gradient of the sum of weighted losses. weight: sum of the weights, float32 []; the loss is the
                quotient of the sums.
            step: number of the step, from 0.

        Returns:
            Parameters, optax state, and the norm of the loss's gradient before clipping, float32 [].
        """
        tables = matches(EMBEDDINGS, params)
        read = jax.tree.map(lambda leaf, table: None if table and self.frozen_embeddings else leaf, gradients, tables)
        norm = optax.tree.norm(read) / weight
        # One factor for mean and clipping: each gradient is written once, by its matrix product, and read in place.
        factor = jnp.where(norm < self.clip_norm, 1.0, self.clip_norm / norm) / weight
        gradients = jax.tree.map(lambda leaf: leaf * factor, gradients)
        directions, state = self._transformation().update(gradients, state, params)
        rate = learning_rate(rates, step, self.schedule)

        def moved(leaf: jax.Array, direction: jax.Array, table: bool) -> jax.Array:
            if table and self.frozen_embeddings:
                return leaf  # subtracting nothing would read and write the whole table
            return leaf - direction * (rate * rates.embedding_factor if table else rate)

        return jax.tree.map(moved, params, directions, tables), state, norm

    def _transformation(self) -> optax.GradientTransformation:
        adam = optax.chain(
            optax.scale_by_adam(self.beta1, self.beta2, self.epsilon),
            optax.add_decayed_weights(
                self.weight_decay, mask=lambda tree: jax.tree.map(lambda hit: not hit, matches(NO_DECAY, tree))
            ),
        )
        if self.frozen_embeddings:
            adam = optax.masked(adam, lambda tree: jax.tree.map(lambda hit: not hit, matches(EMBEDDINGS, tree)))
        return adam


@functools.partial(jax.jit, static_argnames="optimizer")
def initial_optimizer_state(optimizer: Optimizer, params: Params) -> Any:
    """The optax states of a stack's parameters, computed in one program: arrays [S, ...], counters included."""
    return jax.vmap(optimizer.init)(params)


def make_optimizer(recipe: Recipe) -> Optimizer:
    """The optimizer of a recipe; learning rate and length are in `Rates`."""
    return Optimizer(
        schedule=recipe.schedule,
        weight_decay=recipe.weight_decay,
        clip_norm=recipe.clip_norm,
        beta1=recipe.beta1,
        beta2=recipe.beta2,
        epsilon=recipe.epsilon,
        frozen_embeddings=recipe.embedding_learning_rate == 0,
    )


def learning_rate(rates: Rates, step: jax.Array, schedule: str) -> jax.Array:
    """The learning rate of step number `step` (from 0), float32 []: the values of transformers' `get_scheduler`.

    The first step of a warm-up therefore has rate 0, and the last step of a decay has a rate above 0.
    """
    warmup = rates.warmup.astype(jnp.float32)
    rise = step / jnp.maximum(1.0, warmup)
    progress = (step - warmup) / jnp.maximum(1.0, rates.steps - warmup)
    if schedule == "linear":
        fall = jnp.maximum(0.0, 1.0 - progress)
    elif schedule == "cosine":
        fall = 0.5 * (1.0 + jnp.cos(jnp.pi * jnp.minimum(1.0, progress)))
    else:
        fall = jnp.ones_like(progress)
    return rates.learning_rate * jnp.where(step < warmup, rise, fall)
