"""Designs that decide: variances of a pilot, the power of a design by simulation, the cheapest first."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from itt_jax import main, tasks
from itt_jax.analysis import analyse, inference, power
from itt_jax.config import EncoderSpec, Study, Target
from itt_jax.report import power_markdown
from tests.simulated_store import write_store

SEED, ITEM, BOTH = 0.03**2, 0.2**2, 0.3**2


def statistics(random, studies, seeds, items, truth=0.0):
    """Statistics of simulated contrasts with these variances."""
    seed, item = random.normal(0, SEED**0.5, (seeds, studies, 1)), random.normal(0, ITEM**0.5, (1, studies, items))
    contrasts = truth + seed + item + random.normal(0, BOTH**0.5, (seeds, studies, items))
    values = contrasts.mean(2)
    part = (contrasts - values[:, :, None]) / np.sqrt(items * (items - 1))
    return pd.DataFrame(inference.table(values, part, np.ones((studies, items)), None))


def question(seed=SEED, item=ITEM, both=BOTH, common=1.0):
    parts = (power.Part(variance, common * variance) for variance in (seed, item, both))
    return power.Question("bert, itt against direct", *parts, items_per_row=1.0, rows=(10**6,))


def test_the_variances_of_a_pilot_are_those_it_was_drawn_with():
    frame = statistics(np.random.default_rng(0), 400, 5, 300)
    found = power._variances(frame).mean(0)
    assert found == pytest.approx([SEED, ITEM, BOTH], rel=0.2)


def test_operators_average_out_what_they_do_not_have_in_common():
    part = power.Part(1.0, 0.4)
    assert [part.of(n) for n in (1, 2, 6)] == pytest.approx([1.0, 0.7, 0.5])
    frame = pd.DataFrame(
        {
            "perturbation": ["all", "swap", "keyboard", "delete"],
            "seed_error": np.sqrt([0.6, 1.1, 1.0, 0.9]),
            "item_error": np.sqrt([1.0, 1.0, 1.0, 1.0]),
            "interaction_error": 0.0,
        }
    ).assign(kind="perturbation", subset="all", severity=np.nan, language="all", domain="all", model="m", arm="a")
    frame = frame.assign(baseline="b", estimate=0.0, target="t", metric="f1", seeds=4, clusters=10.0)
    pilot = type("Pilot", (), {"interactions": frame})
    single, common = power._single_and_common(pilot, frame.iloc[0].to_dict())
    assert single == pytest.approx([4 * 1.0, 10 * 1.0, 0]) and common == pytest.approx([4 * 0.4, 10 * 1.0, 0])


def test_more_of_everything_decides_and_the_cheapest_design_is_first():
    grid = np.array([[3, 500, 1], [20, 500, 1], [100, 4000, 4]])
    assert question().decided(grid, 0.02, 1).tolist() == [False, False, True]
    few, many = (question(common=0.2).decided(grid[1:2] * [1, 8, n], 0.02, 1)[0] for n in (1, 8))
    assert many and not few
    frame = power.designs([question(common=0.2)], 0.02, 500, 3000, (1, 2, 3, 4), lambda s, r, o: s * (100 + r * o), 1)
    few = dataclasses.replace(question(common=0.2), rows=(600, 400))
    three = few.power(np.array([[20, 500, 4], [20, 600, 4], [20, 4000, 4]]), 0.02, 1)
    same = question(common=0.2).power(np.array([[20, 900, 4], [20, 1000, 4], [20, 1000, 4]]), 0.02, 1)
    assert three == pytest.approx(same), "rows that there are not decide nothing"
    every = frame[frame["question"] == "all"]
    assert (np.diff(every["flops"]) >= 0).all() and frame["flops"].iloc[0] == every["flops"].iloc[0]
    assert every["rows"].max() <= 3000 and every["operators"].max() <= 4
    none = power.designs([question()], 1e-4, 50, 100, (1,), lambda s, r, o: s, 1)
    assert none["seeds"].isna().all() and len(none) == 1
    text = power_markdown(none.assign(hours=np.nan), 1e-4, 1)
    assert "No design that was tried" in text and "| –" in text


def test_the_family_has_a_question_for_each_encoder_metric_and_treatment():
    """As the report counts them, so that a design has the levels of its Holm adjustment."""
    targets = [Target(name, train=name) for name in ("sst2", "sick_relatedness", "xnli", "stsb")]
    encoders = tuple(EncoderSpec(name, "bert") for name in ("a", "b"))
    study = Study("s", encoders, tuple(targets), arms=("direct", "itt", "matched_steps", "dapt"))
    metrics = {tasks.get(target.train).metric for target in targets}
    names = power.asked(study)
    assert len(set(names)) == len(names) == 2 * len(metrics) * 2 and len(metrics) > 1
    assert "a, itt against matched_steps (accuracy)" in names and "b, dapt against direct (accuracy)" in names
    narrower = power.designs([question(common=0.2)], 0.02, 500, 3000, (4,), lambda s, r, o: s, len(names))
    wider = power.designs([question(common=0.2)], 0.02, 500, 3000, (4,), lambda s, r, o: s, 1)
    assert narrower["seeds"].min() > wider["seeds"].min()
    text = power_markdown(wider.assign(hours=1.0), 0.02, len(names), names[:1])
    assert f"one of {len(names)} primary questions" in text and f"no design for: {names[0]}." in text


@pytest.mark.slow
@pytest.mark.volume
@pytest.mark.parametrize("seeds", [4, 12, 24])
def test_a_design_decides_as_often_as_it_promises(seeds):
    """One of two questions: zero is negligible as often as promised, and twice the bound is supported more often."""
    random, rows, bound = np.random.default_rng(1), 300, 0.02 * np.sqrt(24 / seeds) * 1.15
    own = question(seed=0.02**2, item=0.04**2, both=0.2**2)
    promised = own.power(np.array([[seeds, rows, 1]]), bound, 2)[0]
    found = []
    for truth in (0.0, 2 * bound):
        contrasts = truth + random.normal(0, 0.02, (seeds, 1500, 1)) + random.normal(0, 0.04, (1, 1500, rows))
        contrasts += 0.2 * random.standard_normal((seeds, 1500, rows))
        values = contrasts.mean(2)
        part = (contrasts - values[:, :, None]) / np.sqrt(rows * (rows - 1))
        frame = pd.DataFrame(inference.table(values, part, np.ones((1500, rows)), None))
        size = frame["estimate"].abs()
        right = (size > bound) == (truth > bound)
        found.append(((2 * inference.beyond((size - bound).abs(), frame) <= 0.05 / 2) & right).mean())
    assert found[0] == pytest.approx(promised, abs=0.035) and found[1] >= promised - 0.02
    assert 0.1 < promised < 0.99


@pytest.mark.slow
def test_a_pilot_gives_designs_and_options_are_checked(tmp_path, capsys):
    pilot = analyse(write_store(tmp_path / "pilot", seeds=(0, 1), languages=("en",), domains=("general",), items=40))
    (found,) = power.from_pilot(pilot, ["bert, itt against matched_steps (accuracy)"], {"en": 90})
    assert found.items_per_row == 1 and found.rows == (90,) and found.seed.single >= found.seed.common >= 0
    for options, message in (
        ((), "expected either --pilot DIR or both"),
        (("--seed-sd", "0.1"), "expected either --pilot DIR or both"),
        (("--seed-sd", "0", "--item-sd", "1"), "expected more than 0"),
    ):
        assert main.main(["plan", "--power", *options]) == 2
        assert message in capsys.readouterr().err
    assert main.main(["plan", "--pilot", str(tmp_path)]) == 2 and "needs --power" in capsys.readouterr().err
    with pytest.raises(ValueError, match="no estimate for any"):
        power.from_pilot(pilot, ["roberta, itt against direct"], {})
