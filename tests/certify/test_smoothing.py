"""Votes in one stream: distinct samples are asked about once, and a row's certificate is its own."""

import collections
import dataclasses

import numpy as np
import pytest
from scipy import stats

from itt_jax import kinds
from itt_jax.attack import attack_rows, get
from itt_jax.attack.csv_files import read_csv, write_csv
from itt_jax.attack.goals import MARGIN
from itt_jax.attack.outcomes import Outcome, outcome
from itt_jax.certify import (
    KINDS,
    NOT_CERTIFIED,
    Deletion,
    Smoothing,
    certify_rows,
    check_attack,
    radius,
    summaries,
    summary_lines,
)
from itt_jax.errors import InputError
from tests.attack.scripted import TEXTS, ScriptedVictim, cases, logits


def voted(text):
    """`logits`, also of texts of which nothing or one character is left."""
    return logits(f"  {text}")


SMOOTHING = Smoothing(Deletion("word", 0.6), 50, 150, 0.05)


@pytest.mark.parametrize("unit", ["word", "character"])
@pytest.mark.parametrize("language", TEXTS)
def test_certificates_are_those_of_one_text_at_a_time(language, unit):
    smoothing = Smoothing(Deletion(unit, 0.6), 50, 150, 0.05)
    victim = ScriptedVictim(voted)
    rows = cases(language)
    found = certify_rows(smoothing, rows, victim)
    distinct = 0
    for own, subject in zip(found, rows, strict=True):
        deletion = smoothing.deletion
        (sequence,) = deletion.sequences([subject.text], language)
        texts = deletion.samples(sequence, deletion.key(0, subject.item, "hypothesis"), 0, 200)
        votes = [int(voted(text).argmax()) for text in texts]
        top = collections.Counter(sorted(votes[:50])).most_common(1)[0][0]
        count = votes[50:].count(top)
        lower = stats.beta.ppf(0.05, count, 151 - count) if count else 0.0
        assert (own.count, own.units, own.distinct) == (count, len(sequence), len(set(texts)))
        assert own.selected == votes[:50].count(top) / 50 and own.lower == pytest.approx(lower, rel=1e-9)
        assert own.prediction == subject.labels[top] and own.right == (top == subject.label)
        assert own.radius == radius(own.lower, 0.6)
        distinct += own.distinct
    assert victim.asked == [distinct] and (distinct < 400 or unit == "character")


def test_certificates_do_not_depend_on_the_rows_beside_them(monkeypatch):
    rows = cases("en")
    whole = certify_rows(SMOOTHING, rows, ScriptedVictim(voted))
    done = []
    monkeypatch.setattr("itt_jax.certify.smoothing.ROWS_AT_ONCE", 1)
    assert certify_rows(SMOOTHING, rows, ScriptedVictim(voted), done.append) == whole and done == [1, 2]
    assert certify_rows(SMOOTHING, rows[1:], ScriptedVictim(voted)) == whole[1:]


def constant(rows, right):
    """A victim that votes for the label of the first rows and against that of the others, whatever is deleted."""
    answers = {own.fields["premise"]: own.label if i < right else (own.label + 1) % 3 for i, own in enumerate(rows)}
    return type("Victim", (), {"outputs": lambda _, texts, language: [np.eye(3)[answers[own]] for own, _ in texts]})()


def test_figures_count_right_and_certain_rows_beside_an_attack():
    rows = cases("en")
    found = certify_rows(SMOOTHING, rows, constant(rows, 1))
    most = radius(0.05 ** (1 / 150), 0.6)
    assert [own.radius for own in found] == [most, most] and most == 1
    before = {"label": "", "prediction_before": "", "prediction_after": "", "score_before": 0.0, "score_after": 0.0}
    counts = {"queries": 9, "edits": 0, "clusters": 0, "words_changed": 0, "words": 0}
    about = {"language": "en", "fields": {"text": "one two three"}, "field": "text", **before, **counts}
    attack = [
        Outcome(item_id=rows[0].item, result="succeeded", text="one three", **about),
        Outcome(item_id=rows[1].item, result="skipped", text="one two three", **about),
    ]
    (figures,) = summaries(found, SMOOTHING, attack)
    assert figures["certified"] == [[0, 0.5, 0.0], [1, 0.5, 0.0]] and figures["abstained"] == 0.0
    assert figures["under_attack"] == [[0, 0.5], [1, 0.0]] and figures["confidence"] == 0.95
    assert figures["accuracy"] == 0.5 and figures["distinct"] == np.mean([own.distinct for own in found])
    assert summary_lines([figures])[2].split() == ["1", "50.0%", "0.0%", "0.0%"]


def test_an_attack_on_other_rows_or_another_field_is_refused(tmp_path):
    rows = cases("en")
    attack = [outcome(own, MARGIN) for own in attack_rows(get("deepwordbug"), MARGIN, rows, ScriptedVictim(logits))]
    write_csv(tmp_path / "results.csv", attack)
    read = read_csv(tmp_path / "results.csv")
    check_attack(read, rows)
    assert [own.field for own in read] == ["hypothesis"] * 2
    with pytest.raises(InputError, match="no row 'scripted/test/1' in language 'en'"):
        check_attack(attack[:1], rows)
    other = [dataclasses.replace(own, field="premise") for own in read]
    with pytest.raises(InputError, match="edits field 'premise'; expected 'hypothesis'"):
        check_attack(other, rows)
    other = [dataclasses.replace(own, fields=own.fields | {"premise": "another"}) for own in attack]
    with pytest.raises(InputError, match="row 'scripted/test/0' in language 'en': has another clean text"):
        check_attack(other, rows)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"selection": 0}, "--selection: found 0, expected at least 1 sample"),
        ({"estimation": 0}, "--estimation: found 0"),
        ({"alpha": 0.5}, "--alpha: found 0.5, expected a probability between 0 and 0.5"),
    ],
)
def test_wrong_values(arguments, says):
    with pytest.raises(InputError, match=says):
        Smoothing(Deletion("word", 0.6), **arguments)


def test_every_kind_is_certified_or_has_a_reason_why_not():
    assert {*KINDS, *NOT_CERTIFIED} == {kind.name for kind in kinds.KINDS} and not {*KINDS} & {*NOT_CERTIFIED}
