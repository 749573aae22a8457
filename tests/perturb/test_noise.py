"""Draws equal a reference in plain Python, are uniform, and depend on every part of the key."""

import numpy as np
from scipy import stats

from itt_jax.perturb.noise import below, first_draws, hash_strings, later_draws, text_keys, under

MASK = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15


def mix(value: int) -> int:
    """SplitMix64's output function in plain Python."""
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 & MASK
    value = (value ^ value >> 27) * 0x94D049BB133111EB & MASK
    return value ^ value >> 31


def test_splitmix_known_value():
    """The first output of SplitMix64 seeded with 0, from its authors' code."""
    assert mix(GOLDEN) == 0xE220A8397B1DCDAF


def test_draws_equal_the_reference():
    offsets, counts = np.array([0, 4, 4]), np.array([3, 0, 2])
    starts = np.array([0, 2, 3, 4, 7])
    keys = np.array([5, 6, 2**63], np.uint64)
    draws = first_draws(keys, offsets, starts, counts)
    expected = [mix(5 + (p + 1) * GOLDEN & MASK) for p in (0, 2, 3)] + [
        mix(2**63 + (p + 1) * GOLDEN & MASK) for p in (0, 3)
    ]
    assert draws.tolist() == expected
    assert later_draws(draws, 2).tolist() == [mix(d + 2 * GOLDEN & MASK) for d in expected]


def test_hash_of_strings_equals_the_reference():
    strings = ["sst2/test/17", "", "1", "文"]
    expected = [
        mix((sum(mix(ord(c) + (i + 1) * GOLDEN & MASK) for i, c in enumerate(s)) + len(s)) & MASK) for s in strings
    ]
    assert hash_strings(strings).tolist() == expected
    assert hash_strings([]).tolist() == []


def test_hashes_do_not_collide():
    ids = [f"task/test/{i}" for i in range(50_000)] + [f"{i}/test/task" for i in range(50_000)]
    assert len(set(hash_strings(ids).tolist())) == len(ids)


def test_keys_depend_on_each_part():
    ids = hash_strings(["a", "b"])
    contexts = [(0, "text", "swap", 1, 0), (1, "text", "swap", 1, 0), (0, "premise", "swap", 1, 0)]
    contexts += [(0, "text", "delete", 1, 0), (0, "text", "swap", 2, 0), (0, "text", "swap", 1, 1)]
    keys = {key for context in contexts for key in text_keys(ids, *context).tolist()}
    assert len(keys) == 2 * len(contexts)


def test_draws_are_uniform_and_independent():
    n = 100_000
    keys = text_keys(hash_strings([str(i) for i in range(n // 100)]), 3)
    starts = np.arange(n)
    draws = first_draws(keys, starts[::100], starts, np.full(n // 100, 100))
    for values in (draws, later_draws(draws[under(draws, 0.5)], 1)):
        assert stats.kstest(values / 2.0**64, "uniform").pvalue > 1e-3
    later = later_draws(draws, 1)
    assert abs(np.corrcoef(draws / 2.0**64, later / 2.0**64)[0, 1]) < 4 / np.sqrt(n)
    assert abs(np.corrcoef(draws[1:] / 2.0**64, draws[:-1] / 2.0**64)[0, 1]) < 4 / np.sqrt(n)
    counts = np.bincount(below(later, 7), minlength=7)
    assert len(counts) == 7
    assert stats.chisquare(counts).pvalue > 1e-3


def test_threshold_is_monotone_with_exact_ends():
    draws = np.array([0, 1, 2**62, 2**64 - 1], np.uint64)
    assert not under(draws, 0.0).any()
    assert under(draws, 1.0).all()
    assert under(draws, 0.25).tolist() == [True, True, False, False]
    assert (under(draws, 0.25) <= under(draws, 0.26)).all()
