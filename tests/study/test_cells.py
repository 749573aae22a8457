"""Cells: what their ids depend on, and the cells of each perturbation: composed, with a lexicon, label-changing."""

import dataclasses

import pytest

from itt_jax import kinds, perturb, tasks
from itt_jax.config import Perturbation
from itt_jax.errors import InputError
from itt_jax.kinds.forms import CLEAN_FORM
from itt_jax.models.heads import head_kind
from itt_jax.study import cells
from itt_jax.study.cells import Evaluated, cell_id, cells_of, variants_of
from tests.study import studies


def planned(*perturbations: Perturbation):
    """The plan, and its cells by (language, perturbation, severity)."""
    plan = studies.planned(perturbations=perturbations)
    return plan, {(cell.language, cell.perturbation, cell.severity): cell for cell in plan.all_cells()}


def evaluated(**changes) -> Evaluated:
    """A model on rows of a task, with some fields changed."""
    task = tasks.get("embedded_sentiment_legal")
    about = {"stage": "s", "model": "bert", "arm": "itt", "target": "t", "seed": 0, "trained_on": task, "task": task}
    about |= {"split": "test", "language": "en", "rows": "r", "max_length": 64, "noise_seed": 0}
    return Evaluated(**about | changes)


@pytest.mark.parametrize(
    "change", [{"stage": "s2"}, {"rows": "r2"}, {"max_length": 65}, {"noise_seed": 1}, {"arm": "dapt"}, {"target": "u"}]
)
def test_an_id_depends_on_what_is_evaluated(change):
    noisy = ("swap", 0.1, 0)
    assert cell_id(evaluated(**change), noisy, None) != cell_id(evaluated(), noisy, None)
    same = cell_id(evaluated(**change), CLEAN_FORM, None) == cell_id(evaluated(), CLEAN_FORM, None)
    assert same == ("noise_seed" in change)  # clean text has no noise


def test_an_id_depends_on_the_variant_and_on_versions(monkeypatch):
    variants = [CLEAN_FORM, ("swap", 0.1, 0), ("swap", 0.1, 1), ("swap", 0.2, 0), ("keyboard", 0.1, 0)]
    before = [cell_id(evaluated(), variant, None) for variant in variants]
    assert len(set(before)) == len(variants)
    raised = dataclasses.replace(perturb.CATALOG["swap"], version=100)
    monkeypatch.setattr(cells, "operator_of", lambda name: raised if name == "swap" else perturb.get(name))
    after = [cell_id(evaluated(), variant, None) for variant in variants]
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, False, False, False, True]


def test_an_id_depends_on_the_versions_of_kind_and_head(monkeypatch):
    before = cell_id(evaluated(), CLEAN_FORM, None)
    kind = kinds.kind(tasks.get("embedded_sentiment_legal").kind)
    for owner in (type(kind), type(head_kind(kind.head))):
        with monkeypatch.context() as patched:
            patched.setattr(owner, "version", 2)
            assert cell_id(evaluated(), CLEAN_FORM, None) != before
    assert cell_id(evaluated(), CLEAN_FORM, None) == before


def test_an_id_does_not_depend_on_names_that_change_no_result():
    assert cell_id(evaluated(model="other", seed=7), CLEAN_FORM, None) == cell_id(evaluated(), CLEAN_FORM, None)


def test_a_variant_for_each_severity_and_replicate_that_a_language_has():
    said = []
    lacking = next(name for name, operator in perturb.CATALOG.items() if "zh" not in operator.languages)
    noises = (Perturbation("swap", (0.1, 0.2), replicates=2), Perturbation(lacking, (0.5,)))
    assert list(variants_of(noises, "zh", said.append)) == [
        CLEAN_FORM,
        *(("swap", severity, replicate) for severity in (0.1, 0.2) for replicate in (0, 1)),
    ]
    assert said == [f"{lacking}: has no table for 'zh'"]


def test_token_noise_is_for_some_kinds_alone():
    said = []
    entities = tasks.get("embedded_entities_legal")
    variants = {CLEAN_FORM: None, ("token_mask", 0.1, 0): None}
    assert [cell.perturbation for cell in cells_of(evaluated(), variants, said.append)] == ["clean", "token_mask"]
    found = cells_of(evaluated(task=entities, trained_on=entities), variants, said.append)
    assert [cell.perturbation for cell in found] == ["clean"]
    assert said == ["token_mask: not for token_classification (embedded_entities_legal)"]


def test_domain_and_language_are_those_of_the_training_rows():
    general = tasks.get("embedded_sentiment_general")
    (away,) = cells_of(evaluated(task=general, language="de"), {CLEAN_FORM: None}, lambda reason: None)
    (home,) = cells_of(evaluated(), {CLEAN_FORM: None}, lambda reason: None)
    assert (away.in_domain, away.source_language) == (False, False)
    assert (home.in_domain, home.source_language) == (True, True)


def test_composed_operators_are_named_and_versioned_by_their_steps():
    _, cells = planned(Perturbation("swap+keyboard", (0.1, 0.2)), Perturbation("keyboard+swap", (0.1,)))
    assert {key for key in cells if key[0] == "de"} == {
        ("de", "clean", 0.0),
        ("de", "swap+keyboard", 0.1),
        ("de", "swap+keyboard", 0.2),
        ("de", "keyboard+swap", 0.1),
    }
    assert len({cell.cell for cell in cells.values()}) == len(cells)


def test_a_lexicon_is_part_of_a_cells_identity(tmp_path):
    noise = Perturbation("synonym", (0.5,), lexicon=str(tmp_path / "{language}.txt"))
    (tmp_path / "en.txt").write_text("court tribunal\n")
    plan, before = planned(noise)
    assert ("de", "synonym", 0.5) not in before
    assert any("synonym: no lexicon" in reason and "'de'" in reason for reason in plan.skipped)

    (tmp_path / "en.txt").write_text("court bench\n")
    _, after = planned(noise)
    key = ("en", "synonym", 0.5)
    assert before[key].cell != after[key].cell
    assert before["en", "clean", 0.0].cell == after["en", "clean", 0.0].cell
    _, inverse = planned(dataclasses.replace(noise, lexicon=f"inverse:{tmp_path}/{{language}}.txt"))
    assert inverse[key].cell not in (before[key].cell, after[key].cell)


def test_controls_are_marked_and_noise_is_not():
    _, cells = planned(
        Perturbation("negation", (1.0,)), Perturbation("swap", (0.1,)), Perturbation("swap+omission", (1.0,))
    )
    marked = {name for (_, name, _), cell in cells.items() if cell.changes_label}
    assert marked == {"negation", "swap+omission"}


@pytest.mark.parametrize(
    ("perturbation", "message"),
    [
        (Perturbation("swop"), "did you mean 'swap'"),
        (Perturbation("swap+keybord"), "did you mean 'keyboard'"),
        (Perturbation("token_musk"), "did you mean 'token_mask'"),
        (Perturbation("swap", lexicon="words.txt"), "reads no lexicon"),
        (Perturbation("synonym", lexicon="absent.txt"), "absent.txt"),
    ],
)
def test_wrong_perturbations_are_named(perturbation, message):
    with pytest.raises(InputError, match=message):
        planned(perturbation)
