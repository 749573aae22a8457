"""Attacks on one model: how far they are."""

import math
from types import SimpleNamespace

import pytest

from itt_jax.study import attack_runs


@pytest.mark.parametrize(
    ("expected", "shares"),
    [(10, [1 / 8, 1.5 / 8, 4 / 8, 5 / 8, 5.5 / 8, 1]), (math.inf, [0, 1 / 8, 2 / 8, 4 / 8, 5 / 8, 6 / 8])],
)
def test_an_attack_is_as_far_as_its_queries_or_its_rows(monkeypatch, expected, shares):
    """Two parts of 4 rows, in each of which 0, 1 and 2 rows are finished after 10, 15 and 100 queries."""

    def attack_rows(attack, goal, part, victim, units, progress):
        for finished, queries in ((0, 10), (1, 15), (2, 100)):
            progress(finished, queries)

    def made(language, cases, size, make):
        return [own for first in range(0, len(cases), size) for own in make(first, cases[first : first + size])]

    monkeypatch.setattr(attack_runs, "attack_rows", attack_rows)
    monkeypatch.setattr(attack_runs, "outcomes_of", lambda *args: [])
    monkeypatch.setattr(attack_runs, "PART", 4)
    told, cases = [], [SimpleNamespace(language="en")] * 8
    attack = SimpleNamespace(candidates=SimpleNamespace(units=lambda *args: ()))
    folder = SimpleNamespace(made=made)
    attack_runs.outcomes_in_parts(
        folder, attack, None, cases, None, lambda line, share: told.append(share), expected=expected
    )
    assert told == shares
