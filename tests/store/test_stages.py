"""Stages are found by encoder, target, arm and seed; whatever does not name one lists what there is."""

import pytest

from itt_jax.errors import InputError
from itt_jax.store import Store
from itt_jax.store.stages import find_stage

STAGES = [
    ("root", 0, []),
    ("between", 0, []),  # such as the first stage of itt
    *((f"nli-{arm}-{seed}", seed, [("nli", arm)]) for arm in ("direct", "itt") for seed in (0, 1)),
    ("shared", 0, [("tweets", "direct"), ("tweets, again", "matched")]),
]


@pytest.fixture
def out(tmp_path):
    """A folder in which one stage is not finished."""
    stages = [
        {"id": name, "encoder": "bert", "seed": seed}
        | {"evaluated_as": [{"target": target, "arm": arm} for target, arm in pairs]}
        for name, seed, pairs in STAGES
    ]
    Store(tmp_path).write_plan({"stages": stages})
    for stage in stages:
        if stage["id"] != "nli-itt-1":
            Store(tmp_path).write_record(stage["id"], stage)
    return tmp_path


@pytest.mark.parametrize(
    ("named", "found"),
    [
        ({"target": "nli", "arm": "direct", "seed": 1}, "nli-direct-1"),
        ({"encoder": "bert", "target": "nli", "arm": "itt", "seed": 0}, "nli-itt-0"),
        ({"arm": "itt"}, "nli-itt-0"),
        ({"target": "tweets, again"}, "shared"),
        ({"encoder": "bert", "seed": 0, "arm": "matched"}, "shared"),
    ],
)
def test_the_one_that_fits_is_found(out, named, found):
    assert find_stage(out, **named) == Store(out).stage(found)


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"target": "nli", "arm": "direct"}, r"found 2 \(target nli, arm direct\); there is .*seed: 0, 1$"),
        ({"arm": "dapt", "seed": 1}, r"found 0 \(arm dapt, seed 1\); there is encoder: bert; target: nli, tweets, "),
        ({"arm": "itt", "seed": 1}, r"stage asked for \(arm itt, seed 1\) is planned and not made yet; `run` with"),
        ({"target": "tweets", "arm": "matched"}, r"found 0 \(target tweets, arm matched\)"),
        ({}, r"found 4 \(none of them named\)"),
    ],
)
def test_what_names_none_or_several_lists_what_there_is(out, named, message):
    with pytest.raises(InputError, match=message):
        find_stage(out, **named)


def test_a_folder_without_stages_is_refused(tmp_path):
    with pytest.raises(InputError, match="has no target stage; expected the results folder of `run`"):
        find_stage(tmp_path)
