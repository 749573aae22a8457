"""What a plan makes of its perturbations: composed ones, lexicons, controls, and what a language lacks."""

import dataclasses

import pytest

from itt_jax.config import Corpus, EncoderSpec, Perturbation, Recipe, Study, Target, validate
from itt_jax.errors import InputError
from itt_jax.study.cells import lexicon_digest
from itt_jax.study.material import Material
from itt_jax.study.plan import make_plan

STUDY = Study(
    name="noises",
    encoders=(EncoderSpec("bert", "bert", corpus=(Corpus("embedded", tuples=50),)),),
    targets=(
        Target(
            "sentiment",
            train="embedded_sentiment_legal",
            intermediate=(),
            recipe=Recipe(steps=1),
            intermediate_recipe=Recipe(steps=1),
        ),
    ),
    arms=("direct",),
    seeds=(0,),
    languages=("en", "de"),
    evaluation_rows=5,
)


def planned(*perturbations: Perturbation):
    """The plan, and its cells by (language, perturbation, severity)."""
    study = dataclasses.replace(STUDY, perturbations=perturbations)
    validate(study)
    plan = make_plan(study, Material(study))
    return plan, {(cell.language, cell.perturbation, cell.severity): cell for cell in plan.all_cells()}


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

    lexicon_digest.cache_clear()
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
