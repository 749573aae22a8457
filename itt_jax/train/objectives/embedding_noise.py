"""Losses at perturbed word embeddings: PGD, FreeLB and SMART.

A perturbation covers all tokens of an example together. It depends neither on the rows of a batch nor on other
examples: random starts are functions of (key, slot, position in the example), and norms are taken by example or token.
"""

import dataclasses
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from itt_jax.batch import Batch
from itt_jax.models.attention import segment_starts
from itt_jax.study.hardening import PGD, SMART, FreeLB
from itt_jax.train.objectives.task import TaskObjective
from itt_jax.train.state import Params

NOISE_KEY = 2
"""Number of the key for random starts; 0 and 1 are for the dropout of the encoder and of the head."""
_LONGEST = 1 << 16
_LEAST = 1e-8
"""Gradients with a smaller norm are not scaled up further (as in FreeLB's code)."""


@dataclasses.dataclass(frozen=True)
class PGDObjective:
    """The loss at the end of an ascent (see `hardening.PGD`)."""

    own: TaskObjective
    settings: PGD

    def __call__(self, params: Params, batch: Batch, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Sum of weighted losses and sum of weights."""
        frozen = jax.lax.stop_gradient(params)

        def ascended(_: int, moved: Array) -> Array:
            gradient = jax.grad(lambda moved: loss_at(self.own, frozen, batch, key, moved)[0])(moved)
            return next_perturbation(moved, gradient, batch, self.settings)

        start = initial_perturbation(self.own, batch, key, self.settings.start)
        moved = jax.lax.fori_loop(0, self.settings.steps, ascended, start)
        return loss_at(self.own, params, batch, key, jax.lax.stop_gradient(moved))


@dataclasses.dataclass(frozen=True)
class FreeLBObjective:
    """The mean loss along an ascent (see `hardening.FreeLB`).

    The gradient with respect to the parameters and the one that the ascent follows come from the same backward pass. So
    the gradient is computed together with the loss, and differentiating the loss only scales it.
    """

    own: TaskObjective
    settings: FreeLB

    def __call__(self, params: Params, batch: Batch, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Sum of weighted losses and sum of weights."""
        return _mean_along_ascent(self, params, batch, key)

    def accumulated(self, params: Params, batch: Batch, key: jax.Array) -> tuple[tuple[jax.Array, jax.Array], Params]:
        """(Mean over the points of the sum of losses, sum of weights), and the gradient of the first."""
        steps = self.settings.steps
        differentiate = jax.value_and_grad(
            lambda params, moved: loss_at(self.own, params, batch, key, moved), argnums=(0, 1), has_aux=True
        )

        def at_point(carry: tuple, _: None) -> tuple[tuple, Array]:
            """Adds the loss and the gradient at one point, and goes on to the next."""
            moved, total, sums = carry
            (value, weight), (gradient, by_embedding) = differentiate(params, moved)
            moved = next_perturbation(moved, by_embedding, batch, self.settings)
            return (moved, total + value / steps, jax.tree.map(lambda a, b: a + b / steps, sums, gradient)), weight

        start = initial_perturbation(self.own, batch, key, self.settings.start)
        nothing = (start, jnp.zeros(()), jax.tree.map(jnp.zeros_like, params))
        (_, total, sums), weights = jax.lax.scan(at_point, nothing, length=steps)
        return (total, weights[0]), sums


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _mean_along_ascent(
    objective: FreeLBObjective, params: Params, batch: Batch, key: jax.Array
) -> tuple[jax.Array, jax.Array]:
    return objective.accumulated(params, batch, key)[0]


def _scaled(objective: FreeLBObjective, gradient: Params, cotangents: tuple[Array, Array]) -> tuple[Params, None, None]:
    return jax.tree.map(lambda leaf: cotangents[0] * leaf, gradient), None, None


_mean_along_ascent.defvjp(FreeLBObjective.accumulated, _scaled)


@dataclasses.dataclass(frozen=True)
class SMARTObjective:
    """The loss, and a penalty on changes of the output near the embeddings (see `hardening.SMART`)."""

    own: TaskObjective
    settings: SMART

    def __call__(self, params: Params, batch: Batch, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Sum of weighted losses with the penalty, and sum of weights."""
        outputs, frozen, settings = self.own.outputs(params, batch, key), jax.lax.stop_gradient(params), self.settings
        known = jax.lax.stop_gradient(outputs)

        def ascended(_: int, moved: Array) -> Array:
            gradient = jax.grad(lambda moved: self._apart(frozen, batch, key, moved, known))(moved)
            largest = jnp.abs(gradient).max(-1, keepdims=True)
            moved = moved + settings.step_size * gradient / jnp.maximum(largest, jnp.finfo(jnp.float32).tiny)
            return jnp.clip(moved, -settings.radius, settings.radius)

        start = settings.start * draws(self.own, batch, key, jax.random.normal)
        moved = jax.lax.stop_gradient(jax.lax.fori_loop(0, settings.steps, ascended, start))
        total, weight = self.own.loss(params, outputs, batch)
        return total + settings.weight * self._apart(params, batch, key, moved, outputs), weight

    def _apart(self, params: Params, batch: Batch, key: jax.Array, moved: Array, outputs: Array) -> Array:
        """The divergence between outputs and the outputs at moved embeddings, with the same dropout."""
        near = self.own.outputs(params, batch, key, self.own.word_embeddings(params, batch) + moved)
        return self.own.head.kind.divergence(near, outputs, batch, self.own.choices)


def loss_at(
    own: TaskObjective, params: Params, batch: Batch, key: jax.Array, moved: Float[Array, "B T D"]
) -> tuple[jax.Array, jax.Array]:
    """Sum of weighted losses and sum of weights at moved word embeddings."""
    embeddings = own.word_embeddings(params, batch) + moved
    return own.loss(params, own.outputs(params, batch, key, embeddings), batch)


def draws(
    own: TaskObjective, batch: Batch, key: jax.Array, draw: Callable[[jax.Array, tuple[int]], Array]
) -> Float[Array, "B T D"]:
    """Random numbers for each token, 0 in padding."""
    examples = batch.by_row["example_ids"]
    place = jnp.arange(examples.shape[1], dtype=jnp.int32) - segment_starts(batch.by_row["segment_ids"])
    counter, noise_key = examples * _LONGEST + place, jax.random.fold_in(key, NOISE_KEY)
    one = jax.vmap(jax.vmap(lambda count: draw(jax.random.fold_in(noise_key, count), (own.encoder.width,))))
    return jnp.where((examples < batch.slots)[..., None], one(counter), 0)


def initial_perturbation(own: TaskObjective, batch: Batch, key: jax.Array, size: float) -> Float[Array, "B T D"]:
    """Uniform numbers in [-1, 1] times size / sqrt(entries of the example): its norm is below `size`."""
    found = draws(own, batch, key, functools.partial(jax.random.uniform, minval=-1.0))
    entries = by_example(jnp.ones(found.shape[:2]), batch) * found.shape[-1]
    return found * (size / jnp.sqrt(jnp.maximum(entries, 1)))[..., None]


def next_perturbation(
    moved: Float[Array, "B T D"], gradient: Float[Array, "B T D"], batch: Batch, settings: PGD
) -> Float[Array, "B T D"]:
    """An ascent along the normalised gradient of each example, projected on the ball around its embeddings."""
    moved = moved + settings.step_size * gradient / jnp.maximum(norms(gradient, batch), _LEAST)
    return moved * jnp.minimum(1, settings.radius / jnp.maximum(norms(moved, batch), _LEAST))


def norms(values: Float[Array, "B T D"], batch: Batch) -> Float[Array, "B T 1"]:
    """For each token the Frobenius norm of its example's values."""
    return jnp.sqrt(by_example(jnp.sum(jnp.square(values), axis=-1), batch))[..., None]


def by_example(values: Float[Array, "B T"], batch: Batch) -> Float[Array, "B T"]:
    """For each token the sum of the values of its example; padding counts as one further example."""
    examples = batch.by_row["example_ids"]
    return jax.ops.segment_sum(values.ravel(), examples.ravel(), batch.slots + 1)[examples]
