"""The train step and the predict step: pure functions of stacks of runs, compiled once per shape.

Values that vary between runs of one shape (learning rate, length, seed) are in arrays; those that shape the program
(encoder, heads, optimizer) are hashable and static. So the many fine-tunings of a study share their programs.
"""

import functools
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from itt_jax.batch import Batch
from itt_jax.models import Encoder, Head, apply_model
from itt_jax.train.compiling import Program, Request, program
from itt_jax.train.objectives import Objective
from itt_jax.train.optimizer import Optimizer
from itt_jax.train.state import Params, TrainState, member


def train_program(
    state: TrainState, batch: Batch, key: jax.Array, active: jax.Array, *, objective: Objective, optimizer: Optimizer
) -> Future[Program]:
    """The compiled train step of a stack of S runs, compiled in the background; it is called like `train_step`."""
    return program(train_request(state, batch, key, active, objective=objective, optimizer=optimizer))


def train_request(
    state: TrainState, batch: Batch, key: jax.Array, active: jax.Array, *, objective: Objective, optimizer: Optimizer
) -> Request:
    """The train step of a stack of S runs, to be compiled.

    A run's loss is sum(weights * losses) / sum(weights) over its whole step, however it is divided into microbatches.

    Args:
        state: [S, ...], donated when the program runs.
        batch: arrays [S, microbatches, ...].
        key: keys of the runs, [S]; the number of a run's step is folded in, then that of the microbatch.
        active: bool [S]; inactive runs keep their state.
            All arguments may be jax.ShapeDtypeStruct: only shapes and shardings are read.
    """
    static = {"objective": objective, "optimizer": optimizer}
    return Request(_train_stack, (state, batch, key, active), static, state=True)


def train_step(
    state: TrainState, batch: Batch, key: jax.Array, active: jax.Array, *, objective: Objective, optimizer: Optimizer
) -> tuple[TrainState, dict[str, jax.Array]]:
    """One step of a stack, after waiting for its program; arguments as `train_request`.

    Returns:
        The next state, and {"loss", "gradient_norm"} (before clipping), float32 [S] on the device.
    """
    made = train_program(state, batch, key, active, objective=objective, optimizer=optimizer).result()
    return made.run(state, batch, key, active)


def _train_stack(
    state: TrainState, batch: Batch, key: jax.Array, active: jax.Array, *, objective: Objective, optimizer: Optimizer
) -> tuple[TrainState, dict[str, jax.Array]]:
    def differentiated(params: Params, step: jax.Array, batch: Batch, key: jax.Array) -> tuple:
        return summed_gradients(params, batch, jax.random.fold_in(key, step), objective, optimizer)

    given = (state.params, state.step, batch, key)
    if len(active) == 1:  # without vmap, matrix products have no extra axis
        sums = jax.tree.map(lambda leaf: leaf[None], differentiated(*member(given, 0)))
    else:
        sums = jax.vmap(differentiated, spmd_axis_name="run")(*given)
    # With an axis even for a single run: after a reshape, the compiler would copy the state to update it.
    trained, metrics = jax.vmap(functools.partial(_updated, optimizer=optimizer), spmd_axis_name="run")(state, *sums)
    if len(active) == 1:
        return trained, metrics

    def where_active(new: jax.Array, old: jax.Array) -> jax.Array:
        return jnp.where(active.reshape(-1, *[1] * (new.ndim - 1)), new, old)

    return jax.tree.map(where_active, trained, state), metrics


def _updated(
    state: TrainState, total: jax.Array, weight: jax.Array, gradients: Params, *, optimizer: Optimizer
) -> tuple[TrainState, dict[str, jax.Array]]:
    loss = total / weight
    params, optimizer_state, norm = optimizer.apply(
        state.params, gradients, weight, state.optimizer, state.rates, state.step
    )
    finite = state.finite & jnp.isfinite(loss) & jnp.isfinite(norm)
    state = TrainState(params, optimizer_state, state.rates, state.step + 1, finite)
    return state, {"loss": loss, "gradient_norm": norm}


def summed_gradients(
    params: Params, batch: Batch, key: jax.Array, objective: Objective, optimizer: Optimizer
) -> tuple[jax.Array, jax.Array, Params]:
    """Sum of losses, sum of weights, and gradient of the sum of losses, over all microbatches [M, ...]."""
    differentiate = jax.value_and_grad(
        lambda params, part, part_key: objective(optimizer.trainable(params), part, part_key), has_aux=True
    )

    def add(carry: tuple, numbered: tuple) -> tuple[tuple, None]:
        number, part = numbered
        (total, weight), gradients = differentiate(params, part, jax.random.fold_in(key, number))
        return jax.tree.map(jnp.add, carry, (total, weight, gradients)), None

    microbatches = jax.tree.leaves(batch)[0].shape[0]
    if microbatches == 1:  # a scan would only cost compile time
        (total, weight), gradients = differentiate(
            params, jax.tree.map(lambda leaf: leaf[0], batch), jax.random.fold_in(key, 0)
        )
        return total, weight, gradients
    nothing = (jnp.zeros(()), jnp.zeros(()), jax.tree.map(jnp.zeros_like, params))
    return jax.lax.scan(add, nothing, (jnp.arange(microbatches), batch))[0]


def predict_request(
    params: Params,
    batch: Batch,
    shared: dict[str, jax.Array] | None = None,
    *,
    encoder: Encoder,
    head: Head,
    change: Callable[[Batch, dict[str, jax.Array]], Batch] | None = None,
    mesh: Mesh | None = None,
) -> Request:
    """The prediction of a stack on one batch, to be compiled: (params, batch, shared) -> outputs.

    Outputs are float32 [S, E, outputs] or, for heads on tokens, [S, B, T, outputs]; whole on every device; no dropout.

    Args:
        params: {"encoder": ..., "head": ...}, a stack [S, ...].
        batch: the `inputs` of a batch of data.packing, the same for every run.
        change: applied to (batch, shared) first; a pure function, compiled with the step.
        shared: arrays that `change` reads besides the batch.
    """
    static = {"encoder": encoder, "head": head, "change": change, "mesh": mesh}
    return Request(_predict_stack, (params, batch, shared), static)


def predict_program(
    params: Params, batch: Batch, shared: dict[str, jax.Array] | None = None, **static: Any
) -> Future[Program]:
    """The compiled prediction, compiled in the background; arguments as `predict_request`."""
    return program(predict_request(params, batch, shared, **static))


def predict_step(params: Params, batch: Batch, shared: dict[str, jax.Array] | None = None, **static: Any) -> jax.Array:
    """Outputs for one batch, after waiting for the program; arguments as `predict_request`."""
    return predict_program(params, batch, shared, **static).result().run(params, batch, shared)


def _predict_stack(
    params: Params, batch: Batch, shared: dict[str, jax.Array] | None, *, encoder: Encoder, head: Head, change, mesh
) -> jax.Array:
    batch = batch if change is None else change(batch, shared)
    if jax.tree.leaves(params)[0].shape[0] == 1:
        scores = apply_model(encoder, head, member(params, 0), batch)[None]
    else:
        scores = jax.vmap(lambda own: apply_model(encoder, head, own, batch), spmd_axis_name="run")(params)
    return scores if mesh is None else jax.lax.with_sharding_constraint(scores, NamedSharding(mesh, P()))
