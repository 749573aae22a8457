"""An objective may wrap another: the loop and the step take it as it is."""

import contextlib
import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import pytest

from itt_jax.config import Recipe
from itt_jax.train.clock import Clock
from itt_jax.train.jobs import Job
from itt_jax.train.loop import Run, Stack
from itt_jax.train.objectives import Objective
from itt_jax.train.task_feeds import job_feeds
from tests.train.toy import drawn_params, tiny_encoder, toy_task

RECIPE = Recipe(steps=2, batch_size=8, max_length=32, packed=False, dropout=False, warmup=0.0, keep="last")


@dataclasses.dataclass(frozen=True)
class Adversarial:
    """The loss at word embeddings that are moved along its gradient (Miyato et al. 2017)."""

    objective: Objective
    size: float

    def __call__(self, params, batch, key):
        def at(word):
            embeddings = params["encoder"]["embeddings"] | {"word": word}
            return self.objective(params | {"encoder": params["encoder"] | {"embeddings": embeddings}}, batch, key)

        word = params["encoder"]["embeddings"]["word"]
        gradient = jax.grad(at, has_aux=True)(word)[0]["embedding"]
        step = jax.lax.stop_gradient(self.size * gradient / jnp.linalg.norm(gradient))
        return at({"embedding": word["embedding"] + step})


@pytest.mark.slow
def test_a_wrapped_objective_trains_in_the_same_loop():
    encoder = tiny_encoder("bert")
    task = toy_task(encoder, 40)
    params = drawn_params(encoder, task.head)
    (feed,) = job_feeds(encoder, [Job([task], None, params, RECIPE, 1e-3, 0)], shards=1)

    def loss(wrap):
        def wrapped(step):
            own = feed(step)
            return dataclasses.replace(own, objective=wrap(own.objective))

        run = Run(params, wrapped, jax.random.key(0), 1e-3, RECIPE.steps)
        (outcome,) = Stack(encoder, [run], RECIPE).train()
        assert outcome.finite and outcome.steps == 2
        return outcome.record.losses[-1][1]

    assert loss(lambda objective: Adversarial(objective, 0.3)) > loss(lambda objective: objective) + 0.01


class Slow(NamedTuple):
    """The same loss, after products that take a while."""

    objective: Objective

    def __call__(self, params, batch, key):
        total, metrics = self.objective(params, batch, key)
        products = jnp.full((500, 500), 0.001 * total)
        for _ in range(20):
            products = products @ products
        return total + 0.0 * products.sum(), metrics


def test_what_a_step_computes_while_a_dev_evaluation_waits_counts_as_training(monkeypatch):
    """Otherwise the tokens of such steps count, their time does not, and the rate shown is too high."""
    encoder = tiny_encoder("bert")
    task = toy_task(encoder, 40)
    recipe = dataclasses.replace(RECIPE, evaluate_every=1)
    params = drawn_params(encoder, task.head)
    (feed,) = job_feeds(encoder, [Job([task], None, params, recipe, 1e-3, 0)], shards=1)

    def slowly(step):
        own = feed(step)
        return dataclasses.replace(own, objective=Slow(own.objective))

    ready = []

    @contextlib.contextmanager
    def pausing(clock):
        ready.append(stack.state.step.is_ready())
        yield

    monkeypatch.setattr(Clock, "pausing", pausing)
    run = Run(params, slowly, jax.random.key(0), 1e-3, recipe.steps)
    stack = Stack(encoder, [run], recipe, evaluate=lambda params: [0.0])
    stack.train()
    assert len(ready) >= recipe.steps and all(ready)
