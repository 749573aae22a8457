"""Claims: contrasts between arms and between encoders, against the tables of gains and plain averages."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from itt_jax.analysis import analyse
from itt_jax.config import Claim, canonical
from itt_jax.report import summary_markdown, tables
from itt_jax.store import Store
from tests.simulated_store import write_store

pytestmark = pytest.mark.slow

GAIN = Claim("gain", "ITT helps.", "question", "itt", "direct", published=(80.0, 79.2))
ONE = dataclasses.replace(GAIN, name="one", encoders=("bert",), targets=("a",))
LEAD = Claim("lead", "BERT leads.", "question", "bert", "xlnet", "encoders", arms=("direct", "itt"))
CLAIMS = (
    GAIN,
    dataclasses.replace(GAIN, name="each", each_target=True),
    ONE,
    dataclasses.replace(ONE, name="german", language="de", perturbation="swap", bound=0.5),
    LEAD,
    dataclasses.replace(LEAD, name="turned", better="xlnet", worse="bert"),
    dataclasses.replace(ONE, name="perturbed", quantity="robustness", perturbation="all"),
    dataclasses.replace(ONE, name="shifted", quantity="transfer"),
    dataclasses.replace(GAIN, name="absent", better="dapt"),
)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """The analysis of two encoders and two targets; the intermediate stage of xlnet before target b did not learn."""
    out = tmp_path_factory.mktemp("claims")
    small = {"arms": ("direct", "itt"), "noises": (("swap", (0.1,)),), "seeds": (0, 1), "items": 20}
    write_store(out, models=("bert", "xlnet"), targets=("a", "b"), languages=("en", "de"), robust=0.5, **small)
    content = {"claims": canonical(CLAIMS), "stopping": {"seeds": 2}}
    declared = {"hash": "h", "time": 0.0, "target_stages": 0, "changes": [], "content": content}
    check = {"task": "t", "metric": "accuracy", "dev": 0.33, "ci_low": 0.3, "ci_high": 0.36, "chance": 0.33}
    record = {"encoder": "xlnet", "kind": "target", "seed": 0, "tokens": 1, "flops": 1, "labels": "own"}
    record |= {
        "dev_checks": [check | {"learned": False}],
        "used_by": [{"target": "b", "arm": "itt"}],
        "evaluated_as": [],
    }
    plan = {"study_id": "x", "name": "claims", "seeds": [0, 1], "declared": declared, "stages_done": [record]}
    Store(out).write_plan(plan)
    return analyse(out), pd.read_parquet(Store(out).results)


def test_a_claim_about_one_encoder_and_target_is_its_gain(found):
    analysis, _ = found
    claims = analysis.claims.set_index("claim")
    gains = analysis.gains[(analysis.gains["model"] == "bert") & (analysis.gains["target"] == "a")]
    own, german = (
        gains[(gains["language"] == language) & (gains["domain"] == "all") & (gains["perturbation"] == noise)].iloc[0]
        for language, noise in (("all", "clean"), ("de", "swap"))
    )
    for name in ("estimate", "std_err", "ci_low", "ci_high", "items", "seeds"):
        assert claims.loc["one", name] == pytest.approx(own[name])
    one = claims.loc["one"]
    assert one["first"] - one["second"] == pytest.approx(one["estimate"])
    assert (one["published_first"], one["published_second"], one["bound"]) == (0.8, 0.792, 0.02)
    assert claims.loc["german", "estimate"] == pytest.approx(german["estimate"])
    assert claims.loc["german", "languages"] == "de" and claims.loc["german", "bound"] == 0.5


def test_encoders_and_targets_have_equal_weights(found):
    analysis, results = found
    claims = analysis.claims.set_index("claim")
    clean = results[results["perturbation"] == "clean"].groupby(["model", "arm", "target"])["value"].mean()
    gains = clean.xs("itt", level="arm") - clean.xs("direct", level="arm")
    means = clean.groupby("model").mean()
    assert claims.loc["gain", "estimate"] == pytest.approx(gains.mean())
    each = claims.loc["each"]
    assert each["target"].tolist() == ["a", "b"]
    assert each["estimate"].tolist() == pytest.approx(gains.groupby("target").mean().tolist())
    lead, turned = claims.loc["lead"], claims.loc["turned"]
    assert lead["estimate"] == pytest.approx(means["bert"] - means["xlnet"]) == pytest.approx(-turned["estimate"])
    assert lead["std_err"] == pytest.approx(turned["std_err"]) and lead["std_err"] > 0
    assert (lead["first"], lead["second"]) == pytest.approx((means["bert"], means["xlnet"]))


def test_encoders_are_compared_in_the_arms_and_cells_that_both_have(tmp_path):
    """Here xlnet lacks an arm, and in target b a language."""
    small = {"languages": ("en", "de"), "noises": (("swap", (0.1,)),), "seeds": (0, 1), "items": 20}
    out = write_store(tmp_path, models=("bert", "xlnet"), targets=("a", "b"), **small)
    results = pd.read_parquet(Store(out).results)
    other = results["model"] == "xlnet"
    gone = other & ((results["arm"] == "matched_steps") | (results["target"] == "b") & (results["language"] == "de"))
    results[~gone].to_parquet(Store(out).results)
    asked = (dataclasses.replace(LEAD, arms=(), each_target=True),)
    content = {"claims": canonical(asked), "stopping": {"seeds": 2}}
    declared = {"hash": "h", "time": 0.0, "target_stages": 0, "changes": [], "content": content}
    Store(out).write_plan({"study_id": "x", "name": "claims", "seeds": [0, 1], "declared": declared})
    claims = analyse(out).claims.set_index("target")
    clean = results[~gone & (results["perturbation"] == "clean") & (results["arm"] != "matched_steps")]
    means = clean[clean["target"] == "a"].groupby("model")["value"].mean()
    assert claims.loc["a", "estimate"] == pytest.approx(means["bert"] - means["xlnet"])
    assert np.isnan(claims.loc["b", "estimate"])
    assert tables.claim_verdict(claims.loc["b"]) == (
        "no data: bert and xlnet have results or signal in different cells of b"
    )


def test_the_two_questions_are_interactions(found):
    analysis, _ = found
    claims, frame = analysis.claims.set_index("claim")["estimate"], analysis.interactions
    frame = frame[(frame["model"] == "bert") & (frame["target"] == "a") & (frame["subset"] == "all")]
    overall = (frame["language"] == "all") & (frame["domain"] == "all") & (frame["perturbation"] == "all")
    noise, shift = frame[(frame["kind"] == "perturbation") & overall], frame[frame["kind"] == "domain"]
    assert claims["perturbed"] == pytest.approx(noise["estimate"].iloc[0])
    assert claims["shifted"] == pytest.approx(shift[shift["perturbation"] == "clean"]["estimate"].mean())


def test_a_claim_without_data_or_on_a_stage_that_did_not_learn_has_no_verdict(found):
    analysis, _ = found
    claims = analysis.claims.set_index("claim")
    assert np.isnan(claims.loc["absent", "estimate"]) and claims.loc["absent", "verdict"] == "undetermined"
    assert claims.loc["gain", "verdict"] == "not judged" and "xlnet, b, itt" in claims.loc["gain", "not_judged"]
    assert claims.loc["one", "not_judged"] == ""
    text = summary_markdown(analysis)
    assert "# Claims" in text and "80.0 / 79.2" in text and "no data" in text and "ITT helps." in text
