"""Every file of a results folder that follows from others, or that the study could do without: damaged or out of date,
it is made again or named in one line, and never read as if it were sound."""

import dataclasses
import os
import shutil

import pytest

from itt_jax.config import Corpus, EncoderSpec, Perturbation, Recipe, Study, Target
from itt_jax.errors import InputError
from itt_jax.store import Store
from itt_jax.store.cache import StageCache
from itt_jax.store.parquet import read_table
from itt_jax.study import joining, run

pytestmark = [pytest.mark.slow, pytest.mark.volume]  # a whole study, damaged in many ways

SHORT = Recipe(steps=1, batch_size=4, learning_rates=(1e-3,), max_length=32, packed=False)
DOMAINS = ("embedded_sentiment_medical", "embedded_sentiment_legal")
STUDY = Study(
    name="derived",
    encoders=(EncoderSpec("bert", "bert", layers=1, width=8, heads=1, feed_forward=8, vocabulary_size=300,
                          corpus=(Corpus("embedded", tuples=50),)),),
    targets=(Target("sentiment", train=DOMAINS[0], evaluate=DOMAINS, train_rows=8, dev_rows=8, recipe=SHORT),),
    arms=("direct",),
    perturbations=(Perturbation("swap", (0.2,)),),
    seeds=(0,),
    languages=("en",),
    evaluation_rows=12,
    max_length=32,
)  # fmt: skip

REMADE = (
    "domains.parquet",
    "clusters.parquet",
    "selection.parquet",
    "results.parquet",
    "texts/*.parquet",
    "cells/index.json",
)
REFUSED = ("plan.json", "stages/*/record.json", "looks/*/2.json", "precision/bert")


def flipped(path):
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 3] + bytes([whole[len(whole) // 3] ^ 1]) + whole[len(whole) // 3 + 1 :])


def cut(path):
    os.truncate(path, path.stat().st_size // 2)


def empty(path):
    path.write_bytes(b"")


def folder(path):
    path.unlink()
    path.mkdir()


@pytest.fixture(scope="module")
def whole(tmp_path_factory, planned_once):
    out = tmp_path_factory.mktemp("whole") / "out"
    again(out)
    store = Store(out)
    assert store.agreed.create_look(store.plan()["declared"]["hash"], 2, {"seeds": 2, "stop": True, "questions": []})
    return out


@pytest.fixture(scope="module", autouse=True)
def planned_once():
    """Data and plan of a study are read once for all tests."""
    plans, planned = {}, joining.planned

    def once(study, data_root):
        return plans.get(study) or plans.setdefault(study, planned(study, data_root))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(joining, "planned", once)
        yield


def again(out):
    return run(STUDY, out, quiet=True, looks=(2,))


def derived(out):
    """The content of what a run makes again; the index says in any order which of a folder's cells are where."""
    tables = [path for pattern in REMADE[:-1] for path in sorted(out.glob(pattern))]
    return {path.relative_to(out).as_posix(): read_table(path).to_pylist() for path in tables}


@pytest.mark.parametrize("damage", (flipped, cut, empty, folder))
@pytest.mark.parametrize("pattern", [*REMADE, *REFUSED])
def test_a_damaged_file_is_made_again_or_named(whole, tmp_path, pattern, damage):
    shutil.copytree(whole, out := tmp_path / "out")
    path = sorted(out.glob(pattern))[0]
    damage(path)
    try:
        again(out)
    except InputError as error:
        assert str(path) in str(error) and "\n" not in str(error)
        assert pattern in REFUSED or damage is folder
    else:
        assert derived(out) == derived(whole)


def test_files_follow_the_study_and_its_data(whole, tmp_path):
    """A folder that another study, on other rows, has grown in holds what a new one would."""
    changed = dataclasses.replace(
        STUDY, evaluation_rows=10, perturbations=(Perturbation("swap", (0.2,)), Perturbation("keyboard", (0.3,)))
    )
    cache, grown, new = StageCache(tmp_path / "cache", "float32"), tmp_path / "grown", tmp_path / "new"
    for record in Store(whole).records():
        cache.add(record["id"], record, Store(whole).checkpoint(record["id"]))
    shutil.copytree(whole, grown)
    shutil.rmtree(grown / "looks")
    for out in (grown, new):
        run(changed, out, quiet=True, cache=cache.folder)
    assert derived(grown) == derived(new)
    for name, content in derived(whole).items():
        assert derived(new)[name] != content
