"""Rounds of attacks in the one loop: what they see, what they count, and that nothing is lost or made twice."""

import dataclasses

import jax
import numpy as np
import pytest

from itt_jax.data.examples import Examples
from itt_jax.errors import NotFiniteError
from itt_jax.study.hardening import Attacked
from itt_jax.train.stage import fine_tune_stack
from itt_jax.train.task_feeds import run_flops
from tests.train.test_hardened import job_of
from tests.train.toy import killed_after, same, tiny_encoder, toy_examples

HARDENING = Attacked(rounds=2, share=0.5, budget=4)
FLOPS = 1000.0


@dataclasses.dataclass(frozen=True)
class Scripted:
    """Even rows are read as other texts, those of the round, if it succeeds; keeps what it was asked."""

    examples: Examples
    asked: list
    succeeds: bool = True
    finite: bool = True

    def attack(self, params, indices, number):
        if not self.finite:
            raise NotFiniteError("an output is not finite")
        largest = np.abs(jax.tree.leaves(params["head"])[-1]).max()
        self.asked.append((number, len(indices), float(largest)))
        return {row: str(number) for row in range(0, 20, 2) if self.succeeds}, FLOPS

    def reader(self, texts):
        if not texts:
            return self.examples.select
        (number,) = set(texts.values())
        other = dataclasses.replace(toy_examples("bert", 20, 50 + int(number)), labels=self.examples.labels)
        joined = Examples.joined([self.examples, other])
        return lambda indices: joined.select(np.where(indices % 2, indices, indices + 20))


def attacked_job(encoder, seed, steps):
    job = job_of(encoder, HARDENING, 0, seed, steps)
    (task,), asked = job.tasks, []
    return dataclasses.replace(job, tasks=[dataclasses.replace(task, attacks=Scripted(task.examples, asked))]), asked


@pytest.mark.slow
@pytest.mark.volume
def test_attacked_runs_together_and_resumed_are_as_alone(tmp_path):
    encoder = tiny_encoder("bert")
    jobs, asked = zip(*(attacked_job(encoder, seed, steps) for seed, steps in enumerate((6, 7))), strict=True)
    alone = [fine_tune_stack(encoder, [job])[0] for job in jobs]
    first = [list(own) for own in asked]
    assert [own[:2] for own in first[0]] == [(1, 16), (2, 16)]  # two steps of 8 examples each
    assert [own[:2] for own in first[1]] == [(1, 16), (2, 16)]  # from steps 3 and 5
    assert first[0][0][2] != first[0][1][2]  # each by the weights of its moment
    plain = fine_tune_stack(encoder, [dataclasses.replace(jobs[0], hardening=None)])[0]
    assert plain.losses != alone[0].losses
    (task,) = jobs[0].tasks
    failing = dataclasses.replace(
        jobs[0], tasks=[dataclasses.replace(task, attacks=Scripted(task.examples, [], False))]
    )
    spared = fine_tune_stack(encoder, [failing])[0]
    assert same(spared.params, plain.params) and spared.flops == pytest.approx(plain.flops + 2 * FLOPS)
    overflowing = dataclasses.replace(task, attacks=Scripted(task.examples, [], finite=False))
    (unattacked,) = fine_tune_stack(encoder, [dataclasses.replace(jobs[0], tasks=[overflowing])])
    assert same(unattacked.params, plain.params) and unattacked.flops == plain.flops
    for found, expected, own, before in zip(fine_tune_stack(encoder, jobs), alone, asked, first, strict=True):
        assert [one[:2] for one in own[2:]] == [one[:2] for one in before]
        np.testing.assert_allclose([one[2] for one in own[2:]], [one[2] for one in before], rtol=1e-4)
        assert (found.tokens, found.flops) == (expected.tokens, expected.flops)
        for one, other in zip(jax.tree.leaves(found.params), jax.tree.leaves(expected.params), strict=True):
            np.testing.assert_allclose(one, other, atol=2e-4)
    recipe = dataclasses.replace(jobs[0].recipe, checkpoint_every=1)
    for steps in (2, 3):  # at the first step of a part, and within it
        saved = dataclasses.replace(jobs[0], directory=tmp_path / str(steps), recipe=recipe)
        with killed_after(steps):
            fine_tune_stack(encoder, [saved])
        asked[0].clear()
        resumed = fine_tune_stack(encoder, [saved])[0]
        assert [number for number, *_ in asked[0]] == [2]  # the first round's texts were read
        assert same(resumed.params, alone[0].params) and resumed.flops == alone[0].flops


def test_the_control_counts_on_the_whole_budget():
    encoder = tiny_encoder("bert")
    job, _ = attacked_job(encoder, 0, 6)
    own = [job.tasks[0].examples], job.recipe, 0
    assert run_flops(encoder, *own, HARDENING) == pytest.approx((3 + 0.5 * 4 * 2 / 3) / 3 * run_flops(encoder, *own))
