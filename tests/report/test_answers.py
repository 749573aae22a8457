"""The first screen: what the study answers, in plain words, and what the answer rests on."""

import dataclasses
import html
import re

import numpy as np
import pandas as pd
import pytest

from itt_jax.analysis import analyse
from itt_jax.data.contamination import Contamination
from itt_jax.report import summary_markdown, tables, write_report
from itt_jax.report.answers import first_screen
from itt_jax.report.cautions import cautions
from itt_jax.report.figures import forest
from itt_jax.report.tables.shown import points
from tests.report.simulated import PLAN
from tests.simulated_store import write_store


def test_the_first_screen_answers_the_question(written, analysis):
    text = written[1].read_text(encoding="utf-8")
    answer = text[text.index('<section id="answer"') : text.index("<nav")]
    first = first_screen(analysis, PLAN)
    assert first.question == PLAN["description"] and all(
        html.escape(own, quote=False) in answer for own in first.answer
    )
    assert "Compared with matched_steps, " in first.answer[0] and "On clean text " in first.answer[1]
    own = analysis.interactions.query("kind == 'perturbation' and subset == 'all' and perturbation == 'all'")
    own = own.query("arm == 'itt' and baseline == 'matched_steps' and language == 'all' and domain == 'all'")
    assert len(own) and points(own["second"].min(), True) in first.answer[1]  # of the groups that the verdict is on
    assert '<figure id="figure-primary">' in answer and "<li>" not in answer[: answer.index("<details")]
    rests = dict(first.rests)
    assert rests["Encoders"] == "2: bert, xlnet" and rests["Seeds"] == "3"
    assert rests["Languages kept"].startswith("3 of 3 (en, de, zh)")
    assert rests["Contamination"].startswith("bert-made-here trained on some of the evaluation text")


def test_a_checkpoint_alone_has_a_first_screen_of_its_own(tmp_path):
    out = write_store(tmp_path, arms=("direct",), seeds=(0,), domains=("general",), languages=("en", "de"), items=20)
    results = pd.read_parquet(out / "results.parquet")
    results.assign(arm=None, seed=None, in_domain=None).to_parquet(out / "results.parquet")
    found = analyse(out)
    first, mean = first_screen(found, {}), results.groupby("perturbation")["value"].mean()
    assert first.question == "How robust is bert on sentiment?"
    worst = mean.drop("clean").idxmin()
    assert first.answer == [
        f"On clean text of sentiment it scores {tables.points(mean['clean'])} (accuracy; guessing scores 50.0); on "
        f"perturbed text {tables.points(mean.drop('clean').mean())} on average, and least, "
        f"{tables.points(mean[worst])}, under {worst}."
    ]
    page = write_report(out, found).read_text(encoding="utf-8")
    assert '<figure id="figure-scores">' in page and "treatment" not in page[: page.index("<nav")]
    attacked = {"model": "bert", "target": "sentiment", "metric": "accuracy", "language": "all", "domain": "all"}
    attacked |= {"arm": "as given", "baseline": "", "perturbation": "charmer"}
    quantities = [attacked | {"quantity": name, "estimate": value} for name, value in (("clean", 0.9), ("score", 0.2))]
    under = dataclasses.replace(found, attacks=pd.DataFrame(quantities))
    assert first_screen(under, {}).answer[-1] == "On the attacked rows it scores 20.0 under charmer (clean: 90.0)."
    # an operator that a language lacks stands beside the clean score of the other one
    results = results[(results["perturbation"] != "swap") | (results["language"] == "en")]
    results.assign(arm=None, seed=None, in_domain=None).to_parquet(out / "results.parquet")
    found, clean = analyse(out), results[results["perturbation"] == "clean"].set_index("language")["value"]
    shown = f" (clean {tables.points(clean['en'])})"
    (panel,) = forest.scores(found, {})
    assert [shown in line for line in re.findall("<text[^>]*>([^<]*)</text>", panel.body)].count(True) == 1
    assert first_screen(found, {}).answer[-1].startswith("In brackets: the score on the same rows' clean text")
    ((_, _, table),) = tables.scores.scores(found, "sentiment")
    assert table.set_index("operator")["clean text of the same"].to_dict() == {
        "clean": tables.points(clean.mean()),
        "swap": tables.points(clean["en"]),
        "keyboard": tables.points(clean.mean()),
        "all": tables.points(clean.mean()),  # languages weigh the same, whichever operators they have
    }


@pytest.mark.parametrize(
    ("verdicts", "answer"),
    [
        (("negligible", "negligible"), "itt changed robustness to perturbed text by less than 3.0 points either way."),
        (
            ("supported", "undetermined"),
            "itt made predictions more robust to perturbed text (in bert); the data do not decide whether itt changes "
            "robustness to perturbed text by 3.0 points or more (in xlnet).",
        ),
        (("contradicted", "contradicted"), "itt made predictions less robust to perturbed text."),
        (
            ("not judged", "not judged"),
            "nothing can be said about itt, because a stage before the target did not learn.",
        ),
    ],
)
def test_verdicts_are_told_in_plain_words(analysis, verdicts, answer):
    changed = dataclasses.replace(analysis, primary=analysis.primary.assign(verdict=verdicts))
    assert first_screen(changed, PLAN).answer[0].endswith(f"Compared with matched_steps, {answer}")


def test_gains_on_clean_text_are_said_encoder_by_encoder(analysis):
    found = analysis.interactions.copy()
    for model, (size, low, high) in {"bert": (0.03, 0.01, 0.05), "xlnet": (-0.02, -0.03, -0.01)}.items():
        found.loc[found["model"] == model, ["second", "second_low", "second_high"]] = size, low, high
    said = first_screen(dataclasses.replace(analysis, interactions=found), PLAN).answer[1]
    assert said.endswith("it scores higher in bert (+3.0 points); it scores lower in xlnet (−2.0 points).")
    found["groups_left_out"], found["domains"], found["languages"] = 1, "legal", "en de"
    found[["second_low", "second_high"]] = -0.1, 0.1
    said = first_screen(dataclasses.replace(analysis, interactions=found), PLAN).answer[1]
    kept = "On clean text of the same groups (legal; en, de), "
    assert said == f"{kept}the difference in score is not distinguishable from zero (−2.0 to +3.0 points)."
    none = dataclasses.replace(analysis, interactions=found.assign(second_low=np.nan))  # before the first look
    assert len(first_screen(none, PLAN).answer) == 1


def test_a_verdict_says_what_it_does_not_reach(analysis):
    alone = analysis.primary.assign(cross_lingual=False, verdict="supported")
    said = first_screen(dataclasses.replace(analysis, primary=alone), PLAN).answer[0]
    assert said.endswith("itt made predictions more robust to perturbed text, in the source language alone.")


def test_what_the_answer_rests_on_is_that_of_the_primary_contrasts(analysis):
    primary = analysis.primary.assign(seeds=[3, 2], languages=["en de", "en zh"])
    own = analysis.interactions
    one = own.assign(
        seeds=1, groups_left_out=1, domains="legal", languages=np.where(own["model"] == "bert", "en", "zh")
    )
    found = dataclasses.replace(analysis, primary=primary, interactions=one, missing_cells=4, plan={})
    first, short = first_screen(found, {}), {caution.short for caution in cautions(found)}
    rests = dict(first.rests)
    assert rests["Seeds"] == "3; primary contrasts rest on 2 to 3" and {"only 2 seeds", "cells are missing"} <= short
    assert rests["Languages kept"].startswith("bert: 2 of 3 (en, de); xlnet: 2 of 3 (en, zh)")
    bert, xlnet = first.answer[1:3]
    assert bert.startswith("On clean text of the same groups (legal; en), ") and " in bert (" in bert
    assert xlnet.startswith("On clean text of the same groups (legal; zh), ") and " in xlnet (" in xlnet
    assert bert.endswith("points), in one training run.")


def test_dropped_rows_share_no_text_and_kept_ones_do(analysis):
    def said(*entries: dict) -> str:
        found = tuple(Contamination("sst2/train", 100, **own) for own in entries)
        return dict(first_screen(dataclasses.replace(analysis, contamination=found), {"contamination": []}).rests)[
            "Contamination"
        ]

    dropped = {"dropped": 4, "whole_inputs": 4, "fields": {"text": 4}}
    assert said(dropped) == "4 training and dev rows were dropped because their text is evaluated"
    kept = "; kept rows of 1 source share text with evaluation rows (table below)"
    assert said(dropped | {"fields": {"text": 5}}).endswith(kept)


def test_a_contrast_without_an_estimate_says_why(analysis):
    missing = dataclasses.replace(analysis, primary=analysis.primary.assign(estimate=np.nan))
    reason = "no clean score was above chance in both arms"
    assert first_screen(missing, PLAN).answer[0].endswith(f"nothing can be said about itt, because {reason}.")
    cells = analysis.cells.query("perturbation == 'clean' and in_domain")
    clean = dataclasses.replace(missing, cells=cells)
    assert "because no text was perturbed and no domain shifted." in first_screen(clean, PLAN).answer[0]
    assert "no answer, because no text was perturbed and no domain shifted." in summary_markdown(clean)


def test_verdicts_are_withheld_only_where_a_stage_learned_nothing(analysis):
    row = {"model": "bert", "target": "sentiment", "arm": "itt", "stage": "intermediate", "task": "sick"}
    row |= {"metric": "pearson", "seeds": 3, "seeds_failed": 1, "must_learn": True}
    checked = dataclasses.replace(analysis, checks=pd.DataFrame([row]))
    rests = dict(first_screen(checked, PLAN).rests)
    assert rests["Manipulation check"] == "not learned in some seed: bert itt (sick; its stage learned another task)"
    rows = [row | {"seeds_failed": 0}, row | {"arm": "shuffled_itt", "seeds_failed": 3, "must_learn": False}]
    rests = dict(first_screen(dataclasses.replace(analysis, checks=pd.DataFrame(rows)), PLAN).rests)
    said = "every stage that had to learn did, in every seed"
    assert rests["Manipulation check"] == f"{said}; shuffled_itt (permuted labels) need not learn"
