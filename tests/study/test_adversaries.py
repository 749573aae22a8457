"""Adversaries: cells and ids of a study under attack, what is left out and why, and what is refused."""

import dataclasses

import pytest

from itt_jax.attack import get
from itt_jax.attack.goals import UNTARGETED
from itt_jax.config import Adversary, content_id, validate
from itt_jax.errors import InputError
from itt_jax.study.adversaries import attack_identity, check_candidates
from itt_jax.study.perturbations import parse_attacks
from itt_jax.study.transfer import transfers
from tests.attack import scripted
from tests.study.studies import STUDY, planned


def test_attacks_add_cells_and_leave_the_others_as_they_are():
    plain = planned()
    under = planned(attacks=(Adversary("deepwordbug", budget=9, rows=3), Adversary("short", recipe="pruthi")))
    added = [cell for cell in under.all_cells() if cell.attack]
    assert [cell for cell in under.all_cells() if not cell.attack] == plain.all_cells()
    assert list(under.stages) == list(plain.stages) and len(added) == 2 * 2  # attacks and languages
    assert {cell.perturbation for cell in added} == {"deepwordbug", "short"}
    assert {len(under.attacked[cell.cell].rows) for cell in added} == {3, 5}
    assert all(under.attacked[cell.cell].attack.budget == 9 for cell in added if cell.perturbation == "deepwordbug")


def test_a_study_without_attacks_has_the_id_it_had_before():
    assert content_id(STUDY) == content_id(dataclasses.replace(STUDY, attacks=()))
    assert content_id(STUDY) != content_id(dataclasses.replace(STUDY, attacks=(Adversary("pruthi"),)))


def test_ids_follow_the_direction_of_a_lexicon_and_the_version_of_units(tmp_path, monkeypatch):
    (tmp_path / "words.txt").write_text("notary witness\n", encoding="utf-8")
    paths = [f"{tmp_path}/words.txt", f"inverse:{tmp_path}/words.txt"]
    made = [planned(attacks=(Adversary("mine", recipe="textfooler", lexicon=own),)) for own in paths]
    assert len({tuple(sorted(cell.cell for cell in plan.all_cells() if cell.attack)) for plan in made}) == 2
    own = next(iter(made[0].attacked.values()))
    before = dataclasses.replace(own).run("stage")
    monkeypatch.setattr("itt_jax.perturb.units.VERSION", 99)
    assert own.run("stage") == before != dataclasses.replace(own).run("stage")


@pytest.mark.parametrize(
    ("name", "language", "version"),
    [("deepwordbug", "zh", 2), ("deepwordbug", "ja", 2), ("deepwordbug", "en", None), ("textfooler", "vi", 2),
     ("textfooler", "de", None), ("universal_triggers", "en", 2), ("charmer", "zh", None)],
)  # fmt: skip
def test_ids_have_the_version_of_candidates_where_they_changed(name, language, version):
    assert attack_identity(get(name), UNTARGETED, [language]).get("candidates") == version


@pytest.mark.parametrize("change", [{"budget": 8}, {"rows": 2}, {"recipe": "textbugger"}])
def test_ids_follow_what_an_attack_may_do(change):
    before, after = (
        {cell.cell for cell in planned(attacks=(own,)).all_cells() if cell.attack}
        for own in (
            Adversary("mine", recipe="pruthi", rows=3),
            Adversary("mine", **{"recipe": "pruthi", "rows": 3} | change),
        )
    )
    assert len(before) == len(after) == 2 and not before & after


def test_arms_that_share_a_stage_share_the_attack_on_it():
    plan = planned(attacks=(Adversary("pruthi"),))
    first, second = (cell for cell in plan.all_cells() if cell.attack)
    own = plan.attacked[first.cell]
    assert own.run("stage") == own.run("stage") != own.run("other")
    assert own.run("stage") != plan.attacked[second.cell].run("stage")  # another language


def test_texts_are_read_by_every_model_of_the_target():
    plan = planned(attacks=(Adversary("pruthi"),), seeds=(0, 1, 2))
    found = transfers(plan)
    assert len(set(map(id, plan.attacked.values()))) == 2  # languages: what is attacked is read once
    assert len(found) == 3 * 2 and len({own.id for own in found}) == 6
    assert all([source.seed for source in own.sources] == [0, 1, 2] for own in found)
    assert not transfers(planned(attacks=(Adversary("pruthi"),)))  # no other model


def test_what_fits_some_languages_alone_is_left_out_elsewhere(tmp_path):
    (tmp_path / "en.txt").write_text("court tribunal\n", encoding="utf-8")
    plan = planned(attacks=(Adversary("mine", recipe="textfooler", lexicon=f"{tmp_path}/{{language}}.txt"),))
    assert {cell.language for cell in plan.all_cells() if cell.attack} == {"en"}
    (reason,) = (reason for reason in plan.skipped if reason.startswith("attack mine: "))
    assert "de" in reason


def test_attacks_that_can_write_nothing_are_named(tmp_path):
    """Edits of long words in Chinese, where a character is a word; a lexicon of other words."""

    def check(name, language):
        check_candidates(get(name), UNTARGETED, scripted.task(), scripted.rows(language), "hypothesis", 0)

    message = r"'pruthi' has no candidates in any of 2 rows of .* in language 'zh' under LongWords\(least=4\), "
    with pytest.raises(InputError, match=message):
        check("pruthi", "zh")
    message = r"^edits of adjacent keys: no keyboard for language 'zh', where a character is a word; .* deepwordbug$"
    with pytest.raises(InputError, match=message):
        get("pruthi").candidates.check("zh")
    for name in ("deepwordbug", "textbugger", "random"):
        check(name, "zh")
        check(name, "th")
    for name in ("charmer", "bad_characters", "worst_of", "greedy_operators", "hotflip", "bert_attack"):
        check(name, "zh")
    (tmp_path / "words.txt").write_text("xyzzy plugh\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"attack mine: .* no candidates in any of 5 rows"):
        planned(attacks=(Adversary("mine", recipe="textfooler", lexicon=f"{tmp_path}/words.txt"),))


@pytest.mark.parametrize(
    ("adversary", "message"),
    [
        (Adversary("unknown"), "recipe"),
        (Adversary("swap", recipe="pruthi"), "an operator has this name"),
        (Adversary("pruthi", edits=3), "--edits does not go with recipe"),
        (Adversary("bert_attack"), "--proposer"),
        (Adversary("pruthi", field="premise"), "premise"),
        (Adversary("pruthi", budget=0), "budget: expected at least 1, found 0"),
        (Adversary("all", recipe="pruthi"), "names clean text or all operators"),
    ],
)
def test_what_is_refused(adversary, message):
    with pytest.raises(InputError, match=message):
        planned(attacks=(adversary,))


def test_names_occur_once():
    with pytest.raises(InputError, match="a name occurs twice"):
        validate(dataclasses.replace(STUDY, attacks=(Adversary("pruthi"), Adversary("pruthi", budget=3))))


def test_the_command_line_names_recipes_with_budgets():
    assert parse_attacks(["charmer:500", "pruthi"], 9) == (
        Adversary("charmer", budget=500, rows=9),
        Adversary("pruthi", rows=9),
    )
    assert parse_attacks(None) == parse_attacks(["none"]) == ()
    for wrong in (["charmer:x"], ["charmer:"], ["nothing"], ["pruthi", "pruthi:3"], ["pruthi:0"]):
        with pytest.raises(InputError):
            parse_attacks(wrong)
