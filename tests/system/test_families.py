"""An encoder of today's families, from nothing to a report: pretrained, fine-tuned twice, perturbed, attacked."""

import math

import numpy as np
import pandas as pd
import pytest
import scipy.special

from itt_jax import main
from itt_jax.store import Store
from itt_jax.store.cache import StageCache
from itt_jax.store.results import read_results
from tests.system.test_attacks import TASK, write_rows

pytestmark = [pytest.mark.slow, pytest.mark.volume]

# Without dropout and with padded rows, so that two learning rates in a stack give the numbers of each alone.
CONFIG = """
import dataclasses
import pathlib

from itt_jax.config import Adversary, Corpus, EncoderSpec, LanguageModel, Recipe
from tests.system import test_attacks

study = test_attacks.study(pathlib.Path(__file__).parent)
recipe = Recipe(steps=60, batch_size=32, learning_rates=(1e-2,), max_length=64, keep="last")
made = EncoderSpec(
    "made", "FAMILY", layers=2, width=32, heads=2, feed_forward=64, vocabulary_size=300, pooling="mean",
    corpus=(Corpus(f"task:{test_attacks.TASK}"), Corpus("embedded", tuples=100)),
    pretraining=LanguageModel(recipe, translation_share=0.5),
)
recipe = dataclasses.replace(study.targets[0].recipe, steps=50, learning_rates=(5e-3, 3e-3), packed=False)
shorter = dataclasses.replace(recipe, steps=30)
target = dataclasses.replace(study.targets[0], recipe=recipe, intermediate_recipe=shorter)
study = dataclasses.replace(
    study, encoders=(made,), targets=(target,), seeds=(0,), attacks=(Adversary("hotflip", rows=6),),
    precision="float32",
)
"""
CELLS = {"clean": 4, "swap": 4, "hotflip": 4}  # two arms in two languages


def loss(cell: pd.DataFrame) -> np.ndarray:
    """float64 [n]: the cross-entropy of a cell's rows."""
    scores = np.stack(cell["scores"]).astype(np.float64)
    return scipy.special.logsumexp(scores, axis=1) - scores[np.arange(len(cell)), cell["label"]]


@pytest.mark.parametrize("family", ["modernbert"])
def test_a_family_goes_all_the_way(family, tmp_path):
    """The language model (half of it on pairs of translations) and the tasks are learned; a stack changes nothing."""
    config, out, stacked = tmp_path / "config.py", tmp_path / "out", tmp_path / "stacked"
    config.write_text(CONFIG.replace("FAMILY", family))
    write_rows(tmp_path)
    assert main.main(["run", "--config", str(config), "--out", str(out), "--stack", "1"]) == 0

    store, results = Store(out), read_results(out)
    pretrained, *tuned = (store.record(record["id"]) for record in store.plan()["stages_done"])
    assert [own["kind"] for own in (pretrained, *tuned)] == ["pretraining", "target", "intermediate", "target"]
    first, *_, last = (loss for _, loss in pretrained["losses"])
    assert last < first - 0.2 < math.log(300) - 0.5
    assert all(check["dev"] > 0.75 > check["chance"] for own in tuned for check in own["dev_checks"])
    assert results.groupby("perturbation").size().to_dict() == CELLS and set(results["arm"]) == {"direct", "itt"}
    assert (results.query("perturbation == 'swap'")["n_changed"] > 0).all()
    cells = results.query("arm == 'direct' and language == 'en'").set_index("perturbation")["cell"]
    clean, attacked = (store.read_cell(cells[name]).set_index("item_id") for name in ("clean", "hotflip"))
    losses = [loss(cell.loc[attacked.index]) for cell in (clean, attacked)]
    assert len(attacked) == 6 and (losses[1] >= losses[0] - 1e-5).all() and (losses[1] > losses[0] + 1e-4).any()
    page = (store.report / "index.html").read_text(encoding="utf-8")
    assert all(name in page for name in ("made", TASK, "hotflip", "swap"))

    cache = StageCache(tmp_path / "cache", "float32")
    cache.add(pretrained["id"], pretrained, store.checkpoint(pretrained["id"]))
    own = ["--stack", "2", "--cache", str(cache.folder), "--set", "attacks=[]", "--set", 'arms=["direct"]']
    assert main.main(["run", "--config", str(config), "--out", str(stacked), *own]) == 0
    assert [record["stack"] for record in Store(stacked).records() if record["kind"] == "target"] == [2]
    for cell in results.query("arm == 'direct' and not attack")["cell"]:
        alone, together = (np.stack(Store(folder).read_cell(cell)["scores"]) for folder in (out, stacked))
        np.testing.assert_allclose(together, alone, atol=1e-3)
