"""A study under attack: interrupted and continued, its cells, statistics and tables; `evaluate` gives the same."""

import dataclasses
import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from itt_jax.analysis import analyse
from itt_jax.attack.csv_files import read_csv
from itt_jax.config import Adversary, Perturbation, Recipe, Study, Target
from itt_jax.data.sources import LocalFiles
from itt_jax.report.tables import TABLES
from itt_jax.store import Store
from itt_jax.store.parts import PartsFolder
from itt_jax.store.results import read_results
from itt_jax.study import attack_runs, run
from itt_jax.study.evaluation import evaluate_checkpoint
from itt_jax.study.perturbations import parse_attacks
from itt_jax.study.request import Evaluation
from itt_jax.tasks import Task
from tests.system.runs import assert_same_cells, checkpoint_of, encoder

pytestmark = pytest.mark.slow

TASK, ROWS, ARMS = "moods", 16, ("direct", "itt")
WORDS = {"good": ("lovely", "splendid", "delightful"), "bad": ("dreadful", "horrible", "tedious")}
FILLERS = {"en": ("the", "play", "was", "and", "long"), "de": ("das", "Spiel", "war", "und", "lang")}
SPLITS = {"train": 200, "dev": 40, "test": 24}


def study(folder) -> Study:
    """Two arms that learn a simple rule, under two attacks."""
    paths = {split: f"{folder}/{{language}}-{split}.jsonl" for split in SPLITS}
    source = LocalFiles(paths, "jsonl", {"text": "text"}, "label")
    moods = Task(TASK, "classification", ("text",), (source,), tuple(WORDS), languages=("en", "de"), parallel=True)
    recipe = Recipe(steps=60, batch_size=32, learning_rates=(1e-2,), max_length=32, dropout=False)
    intermediate = dataclasses.replace(recipe, steps=20)
    target = Target(TASK, train=TASK, intermediate=(TASK,), recipe=recipe, intermediate_recipe=intermediate)
    return Study(
        name="attacked",
        encoders=(encoder(f"task:{TASK}", 300, pooling="max_mean"),),
        targets=(target,),
        tasks=(moods,),
        arms=ARMS,
        seeds=(0, 1),
        languages=("en", "de"),
        max_length=32,
        perturbations=(Perturbation("swap", (0.2,)),),
        attacks=(Adversary("deepwordbug", rows=ROWS), Adversary("one word", recipe="pruthi", budget=60, rows=ROWS)),
    )


def write_rows(folder) -> None:
    """A word of the class among other words, in random order."""
    for split, count in SPLITS.items():
        for language, fillers in FILLERS.items():
            rng, lines = np.random.default_rng([count, len(split)]), []
            for number in range(count):
                label = sorted(WORDS)[number % 2]
                words = [*rng.choice(WORDS[label], 1), *rng.choice(fillers, 4), f"{split}{number}"]
                lines.append({"id": f"{split}-{number}", "text": " ".join(rng.permutation(words)), "label": label})
            text = "".join(json.dumps(line) + "\n" for line in lines)
            (folder / f"{language}-{split}.jsonl").write_text(text, encoding="utf-8")


NAMES, MODELS, LANGUAGES = {"deepwordbug", "one word"}, 4, 2


@pytest.fixture(scope="module")
def attacked_run(tmp_path_factory):
    """A run that is stopped amid an attack and continued, and one that was not, from the same checkpoints."""
    folder, written = tmp_path_factory.mktemp("attacked"), []
    out, config = folder / "out", study(folder)
    write_rows(folder)
    write = PartsFolder.write_part

    def stop_amid(self, *args):
        write(self, *args)
        written.append(self.out)
        if len(written) == 4:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attack_runs, "PART", 6)
        patch.setattr(PartsFolder, "write_part", stop_amid)
        with pytest.raises(KeyboardInterrupt):
            run(config, out, quiet=True)
        patch.setattr(PartsFolder, "write_part", lambda *args: (written.append(args[0].out), write(*args))[1])
        results = run(config, out, quiet=True)
        assert len(written) == len(NAMES) * MODELS * LANGUAGES * 3  # parts of 6, 6 and 4 rows, none made twice
        kept = {
            path.relative_to(out): path.read_bytes() for path in out.glob("*/**/*") if path.suffix in (".jsonl", ".csv")
        }
        kept |= {path.relative_to(out): path.read_bytes() for path in out.glob("cells/*.parquet")}
        for folder in out.glob("attacks/*"):
            for path in sorted(folder.rglob("*"), reverse=True):
                path.unlink() if path.is_file() else path.rmdir()
            folder.rmdir()
        under_attack = {Store(out).cells.file(cell) for cell in results.to_pandas().query("attack")["cell"]}
        assert len(under_attack) == MODELS * LANGUAGES  # all attacks on one model and language in one file
        for path in under_attack:
            assert b"provenance" in pq.read_metadata(path).metadata
            path.unlink()
        run(config, out, quiet=True)
    assert {name: (out / name).read_bytes() for name in kept} == kept
    return out


def test_cells_under_attack_are_there_and_add_up(attacked_run):
    results = read_results(attacked_run)
    attacked = results[results["attack"]]
    assert len(attacked) == len(NAMES) * MODELS * LANGUAGES and set(attacked["perturbation"]) == NAMES
    assert (attacked["n"] == ROWS).all() and results.loc[~results["attack"], "success_rate"].isna().all()
    assert attacked["success_rate"].max() > 0
    for row in attacked.itertuples():
        cell = Store(attacked_run).read_cell(
            row.cell, ["item_id", "text", "result", "succeeded", "queries", "prediction", "label"]
        )
        skipped, won = cell["result"] == "skipped", cell["succeeded"]
        assert ((cell["prediction"] != cell["label"]) == (skipped | won)).all()
        assert row.attacked == (~skipped).sum() and row.success_rate == pytest.approx(won.sum() / max(1, row.attacked))
        assert row.value == pytest.approx((~skipped & ~won).mean())
        assert (cell.loc[skipped, "queries"] == 1).all()
        same = results[
            (results["arm"] == row.arm) & (results["seed"] == row.seed) & (results["language"] == row.language)
        ]
        clean = Store(attacked_run).read_cell(
            same.query("perturbation == 'clean'")["cell"].iloc[0], ["item_id", "prediction"]
        )
        before = clean.set_index("item_id")["prediction"].reindex(cell["item_id"]).to_numpy()
        assert ((before != cell["label"]) == skipped).all()
    assert (attacked.query("perturbation == 'one word'")["queries"] <= 60).all()


@pytest.fixture(scope="module")
def found(attacked_run):
    """Its analysis."""
    return analyse(attacked_run)


def test_statistics_keep_attacks_apart(attacked_run, found):
    for frame in (found.cells, found.interactions, found.gains, found.curves, found.robustness, found.gaps):
        assert not set(frame["perturbation"]) & NAMES
    assert set(found.attacks["perturbation"]) == set(found.attack_contrasts["perturbation"]) == NAMES
    whole = found.attacks.query("language == 'all' and baseline == ''").set_index(["perturbation", "arm", "quantity"])
    results = read_results(attacked_run).query("attack")
    for (name, arm), cells in results.groupby(["perturbation", "arm"]):
        score = whole.loc[(name, arm, "score")]
        assert score["estimate"] == pytest.approx(cells["value"].mean()) and score["items"] == ROWS
        success = (cells["success_rate"] * cells["attacked"]).sum() / cells["attacked"].sum()
        clean = whole.loc[(name, arm, "clean"), "estimate"]
        assert clean == pytest.approx(cells["attacked"].sum() / len(cells) / ROWS)
        assert whole.loc[(name, arm, "relative_drop"), "estimate"] == pytest.approx(success)
        spent = found.budgets.query("perturbation == @name and arm == @arm and spent == 'queries'")
        assert spent["estimate"].iloc[0] == pytest.approx(clean) and spent["estimate"].is_monotonic_decreasing
        assert spent["estimate"].iloc[-1] == pytest.approx(score["estimate"])
    contrast = found.attack_contrasts.query("language == 'all' and arm == 'itt'").set_index("perturbation")
    for name in NAMES:
        drop = {
            arm: whole.loc[(name, arm, "score"), "estimate"] - whole.loc[(name, arm, "clean"), "estimate"]
            for arm in ARMS
        }
        assert contrast.loc[name, "estimate"] == pytest.approx(drop["itt"] - drop["direct"])


def test_transfer_holds_every_pair_and_agrees_with_the_cells(attacked_run, found):
    rows = Store(attacked_run).transfers(Store(attacked_run).plan()["transfers"])
    assert len(rows) == len(NAMES) * LANGUAGES * MODELS**2
    own = rows[rows["stage"] == rows["made_on_stage"]]
    cells = read_results(attacked_run).query("attack")
    key = ["arm", "seed", "language", "perturbation"]
    both = own.merge(cells, on=key)
    assert len(both) == len(cells) and np.allclose(both["score"], both["value"])
    hit = both["success_rate"] > 0
    assert np.allclose(both.loc[hit, "transferred"], 1)
    table = found.transfer
    assert set(table["made_on"]) == {"same model", "another seed", "another arm"}
    assert (table.query("made_on == 'another arm'")["pairs"] == 4).all()


def test_the_report_has_their_tables(attacked_run, found):
    plan = Store(attacked_run).plan()
    shown = {own.name: own.of(found, plan) for own in TABLES if own.section == "attacks"}
    assert {"attacks", "attack_contrasts", "budgets", "transfer"} <= set(shown)
    assert all(set(table["attack"]) == NAMES for table in shown.values())
    row = shown["attacks"].query("attack == 'one word' and arm == 'itt'").iloc[0]
    cells = read_results(attacked_run).query("perturbation == 'one word' and arm == 'itt'")
    assert row["queries"] == f"{np.average(cells['queries'], weights=cells['attacked']):,.1f}"
    assert row["under attack"].startswith(f"{100 * cells['value'].mean():.1f} [")


def test_evaluate_attacks_a_checkpoint_alike(attacked_run, tmp_path):
    config = study(attacked_run.parent)
    asked = Evaluation(
        checkpoint_of(attacked_run, "itt", 1),
        TASK,
        tasks=config.tasks,
        languages=("en",),
        max_length=32,
        allow_contaminated=True,
        attacks=parse_attacks(["deepwordbug"], ROWS),
    )
    evaluate_checkpoint(asked, tmp_path / "one", quiet=True)
    where = "arm == 'itt' and seed == 1 and language == 'en' and perturbation in ('clean', 'deepwordbug')"
    assert_same_cells(tmp_path / "one", attacked_run, where, ["value", "n", "success_rate", "queries", "edits"])
    (made,) = (tmp_path / "one" / "attacks").iterdir()
    assert len(read_csv(made / "results.csv")) == ROWS
