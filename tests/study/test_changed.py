"""Lexicons that change while a study runs: what was made with them is refused by name, and nothing of it is stored."""

import dataclasses
from types import SimpleNamespace

import pytest

from itt_jax.config import Adversary, Perturbation, validate
from itt_jax.errors import InputError
from itt_jax.store import Store
from itt_jax.study import arms, attack_runs
from itt_jax.study.hardening import code_mixed
from itt_jax.study.inputs import inputs
from itt_jax.study.joining import Joined
from itt_jax.study.making import Maker
from itt_jax.study.material import Material, lexicon_digest
from itt_jax.study.plan import make_plan
from itt_jax.study.profiling import Profile
from itt_jax.study.progress import Progress
from itt_jax.study.texts import keep_plan_texts
from tests.study.studies import STUDY


@pytest.fixture
def lexicon(tmp_path):
    path = tmp_path / "en.txt"
    path.write_text("court Gericht\n")
    return path


def read(**changes) -> Joined:
    """The study in English with some fields changed, and what its plan reads."""
    study = dataclasses.replace(STUDY, languages=("en",), **changes)
    validate(study)
    material = Material(study)
    plan = make_plan(study, material)
    return Joined(material, plan, [], inputs(plan, material), [], None)


def change(lexicon):
    before = lexicon_digest(str(lexicon))
    lexicon.write_text("court Tribunal\n")
    assert lexicon_digest(str(lexicon)) != before


def refused(lexicon):
    return pytest.raises(InputError, match=f"^{lexicon}: has changed since the study was planned; run it again")


def test_forms_of_another_lexicon_are_not_predicted(lexicon, tmp_path):
    own = read(perturbations=(Perturbation("code_mix", (0.5,), lexicon=str(lexicon)),))
    (target,) = own.plan.study.targets

    def forms():
        return Maker(Store(tmp_path / "out"), own, Progress(quiet=True), None, Profile(None)).forms(target)

    assert forms()
    change(lexicon)
    with refused(lexicon):
        forms()
    lexicon.unlink()
    with refused(lexicon):
        forms()


def test_texts_of_another_lexicon_are_not_kept(lexicon, tmp_path):
    own, store = read(perturbations=(Perturbation("code_mix", (0.5,), lexicon=str(lexicon)),)), Store(tmp_path / "out")
    lexicons = {str(lexicon): lexicon_digest(str(lexicon))}
    change(lexicon)
    with refused(lexicon):
        keep_plan_texts(store, own.plan, own.material, lexicons)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_attacks_with_another_lexicon_have_no_outcome(lexicon, tmp_path, monkeypatch, when):
    plan = read(attacks=(Adversary("mine", recipe="textfooler", lexicon=str(lexicon)),)).plan
    own, store, attacked = next(iter(plan.attacked.values())), Store(tmp_path / "out"), []

    def attack(*about, **heard):
        attacked.append(when)
        change(lexicon)

    monkeypatch.setattr(attack_runs, "arithmetic_of", lambda encoder: SimpleNamespace(name="float32"))
    monkeypatch.setattr(attack_runs, "EncoderVictim", lambda *about: None)
    monkeypatch.setattr(attack_runs, "attack_rows", attack)
    monkeypatch.setattr(attack_runs, "outcomes_of", lambda *about: [])
    monkeypatch.setattr(attack_runs, "write_outcomes", lambda *about: pytest.fail("written"))
    model = SimpleNamespace(tokenizer=None, encoder=None, head=None, params=None)
    if when == "before":
        own.run("stage")
        change(lexicon)
    with refused(lexicon):
        attack_runs._outcomes(store, model, "stage", own, Progress(quiet=True))
    assert attacked == ([] if when == "before" else [when])
    assert store.attack(own.run("stage")).part("en", 0) is None  # with its id, it would be read again


def test_a_stage_hardened_with_another_lexicon_is_not_trained(lexicon, tmp_path):
    own = read(arms=("direct", arms.hardened(arms.DIRECT, code_mixed(str(lexicon)), "own", "own")))
    (stage,) = (found for found in own.plan.made() if getattr(found, "hardening", None))
    (selection,) = stage.training
    rows = own.material.uncontaminated_rows(selection)
    body = SimpleNamespace(tokenizer=None)
    forms = stage.forms(own.material, body, (selection,), rows, None)
    assert forms.lexicons == {str(lexicon): lexicon_digest(str(lexicon))}
    change(lexicon)
    with refused(lexicon):
        stage.forms(own.material, body, (selection,), rows, None)
    lexicon.unlink()
    with pytest.raises(InputError, match=f"^{lexicon}: No such file"):
        stage.forms(own.material, body, (selection,), rows, None)
