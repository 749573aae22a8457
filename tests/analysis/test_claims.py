"""Claims: contrasts between arms and between encoders, against the tables of gains and plain averages."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from itt_jax.analysis import analyse
from itt_jax.config import Claim, canonical
from itt_jax.report import summary_markdown
from itt_jax.report.cautions import cautions
from itt_jax.report.tables import primary
from itt_jax.store import Store
from tests.simulated_store import change_cells, constant, write_store

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
    dataclasses.replace(ONE, name="attacked", perturbation="bug"),
    dataclasses.replace(ONE, name="kept", quantity="robustness", perturbation="bug"),
    dataclasses.replace(GAIN, name="absent", better="dapt"),
)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """The analysis of two encoders and two targets; the intermediate stage of xlnet before target b did not learn."""
    out = tmp_path_factory.mktemp("claims")
    small = {"arms": ("direct", "itt"), "noises": (("swap", (0.1,)), ("bug", (0.2,))), "seeds": (0, 1), "items": 20}
    small["attacks"] = ("bug",)
    write_store(out, models=("bert", "xlnet"), targets=("a", "b"), languages=("en", "de"), robust=0.5, **small)
    content = {"claims": canonical(CLAIMS), "stopping": {"seeds": 2}}
    declared = {"hash": "h", "time": 0.0, "target_stages": 0, "changes": [], "content": content}
    check = {
        "task": "t",
        "metric": "accuracy",
        "dev": 0.33,
        "ci_low": 0.3,
        "ci_high": 0.36,
        "chance": 0.33,
        "rows": 99,
        "looks": 1,
    }
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


def silence(out, where: str) -> None:
    """Make the predictions of the cells on dev rows that the query selects constant."""
    change_cells(out, dict.fromkeys(pd.read_parquet(out / "selection.parquet").query(where)["cell"], constant))


def test_encoders_are_compared_in_the_arms_and_cells_that_both_have(tmp_path):
    """Here xlnet lacks an arm, in target b a language, and there bert has no signal in one domain."""
    small = {"languages": ("en", "de"), "noises": (("swap", (0.1,)),), "seeds": (0,), "items": 20, "dev": 300}
    out = write_store(tmp_path, models=("bert", "xlnet"), targets=("a", "b"), **small)
    results = pd.read_parquet(Store(out).results)
    other = results["model"] == "xlnet"
    gone = other & ((results["arm"] == "matched_steps") | (results["target"] == "b") & (results["language"] == "de"))
    results[~gone].to_parquet(Store(out).results)
    silence(out, "model == 'bert' and target == 'b' and domain == 'legal' or target == 'a' and language == 'de'")
    each = dataclasses.replace(LEAD, arms=(), each_target=True)
    robust = dataclasses.replace(each, name="robust", quantity="robustness", perturbation="swap")
    german = dataclasses.replace(each, name="german", language="de")
    silent = dataclasses.replace(ONE, name="silent", language="de", quantity="robustness", perturbation="all")
    content = {"claims": canonical((each, robust, german, silent)), "stopping": {"seeds": 2}}
    declared = {"hash": "h", "time": 0.0, "target_stages": 0, "changes": [], "content": content}
    Store(out).write_plan({"study_id": "x", "name": "claims", "seeds": [0], "declared": declared})
    analysis = analyse(out)
    claims = analysis.claims.set_index(["claim", "target"])
    own = results[(results["arm"] != "matched_steps") & ((results["target"] == "a") | (results["language"] == "en"))]
    clean = own[own["perturbation"] == "clean"].groupby(["target", "model"])["value"].mean().unstack()
    for name, count, left_out in (("a", 4, 0), ("b", 2, 2)):
        lead = claims.loc["lead", name]
        assert lead["estimate"] == pytest.approx(clean.loc[name, "bert"] - clean.loc[name, "xlnet"])
        assert (lead["conditions"], lead["conditions_left_out"]) == (count, left_out)
    kept = own[(own["target"] == "b") & (own["domain"] == "general")].groupby(["model", "perturbation"])["value"].mean()
    drop = kept.unstack()["swap"] - kept.unstack()["clean"]
    assert claims.loc[("robust", "b"), "estimate"] == pytest.approx(drop["bert"] - drop["xlnet"])
    assert claims.loc[("robust", "b"), ["conditions", "conditions_left_out"]].tolist() == [1, 2]
    assert "; 1 of 3 cells" in primary.claims(analysis).set_index("claim").loc["robust", "rests on"].iloc[1]
    said = {key: primary.claim_verdict(row) for key, row in claims.iterrows()}
    assert said["german", "b"] == "no data: bert and xlnet have no cell in common"
    assert said["silent", "all"] == "no signal" and np.isnan(claims.loc[("silent", "all"), "estimate"])


def test_the_two_questions_are_interactions(found):
    analysis, _ = found
    claims, frame = analysis.claims.set_index("claim")["estimate"], analysis.interactions
    frame = frame[(frame["model"] == "bert") & (frame["target"] == "a") & (frame["subset"] == "all")]
    overall = (frame["language"] == "all") & (frame["domain"] == "all") & (frame["perturbation"] == "all")
    noise, shift = frame[(frame["kind"] == "perturbation") & overall], frame[frame["kind"] == "domain"]
    assert claims["perturbed"] == pytest.approx(noise["estimate"].iloc[0])
    assert claims["shifted"] == pytest.approx(shift[shift["perturbation"] == "clean"]["estimate"].mean())


def test_claims_about_an_attack_are_contrasts_of_attacks(found):
    """And with the caution that the arms read other texts."""
    analysis, _ = found
    claims, names = analysis.claims.set_index("claim"), ["estimate", "std_err", "ci_low", "ci_high"]
    frames = {"attacked": analysis.attacks.query("quantity == 'score'"), "kept": analysis.attack_contrasts}
    for name, frame in frames.items():
        own = frame[(frame["model"] == "bert") & (frame["target"] == "a") & (frame["baseline"] == "direct")]
        (row,) = own[(own["language"] == "all") & (own["domain"] == "all")].to_dict("records")
        assert claims.loc[name, names].tolist() == pytest.approx([row[one] for one in names])
    assert any("attacked, kept" in own.sentence and "each model" in own.sentence for own in cautions(analysis))


def test_a_claim_without_data_or_on_a_stage_that_did_not_learn_has_no_verdict(found):
    analysis, _ = found
    claims = analysis.claims.set_index("claim")
    assert np.isnan(claims.loc["absent", "estimate"]) and claims.loc["absent", "verdict"] == "not judged"
    assert primary.claim_verdict(claims.loc["absent"]) == "no data"
    assert claims.loc["gain", "verdict"] == "not judged" and "xlnet, b, itt" in claims.loc["gain", "not_judged"]
    assert claims.loc["one", "not_judged"] == ""
    text = summary_markdown(analysis)
    assert "# Claims" in text and "80.0 / 79.2" in text and "no data" in text and "ITT helps." in text
