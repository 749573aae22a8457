"""Exported predictions: scoring them gives the figures of the results, for every kind of task."""

import json
import zlib

import numpy as np
import pandas as pd
import pytest

from itt_jax import kinds, main, tasks
from itt_jax.data.pools import Pool
from itt_jax.data.rows import Rows
from itt_jax.errors import InputError
from itt_jax.kinds.forms import CLEAN_FORM, Form
from itt_jax.kinds.retrieval import Mined, Ranked
from itt_jax.metrics import metric
from itt_jax.ragged import Ragged
from itt_jax.report.official import write_official
from itt_jax.score import BENCHMARKS, score
from itt_jax.score.benchmarks import LEXTREME
from itt_jax.store import Store
from tests.simulated_store import change_cells

ITEMS = 8
ANSWERS = ("Paris", "in 1900", "the blue whale", "Ärger", "二十 人", "a b", "", "x y z")


def cell_of(task: tasks.Task, language: str, random: np.random.Generator, lost: bool) -> tuple[float, dict]:
    """The value and columns of a cell with random predictions, half of them right, as evaluation stores them.

    Labels are the same for every cell of a task and language.

    Args:
        lost: some rows of answers are not applicable, some words of tags are gone (in one row all).
    """
    gold = np.random.default_rng(zlib.crc32(f"{task.name}/{language}".encode()))
    right = random.random(ITEMS) < 0.5
    applicable = np.ones(ITEMS, bool)
    if task.kind == "retrieval":
        return _ranked(task, language, random)
    if task.kind == "question_answering":
        labels = [[ANSWERS[i - 1], ANSWERS[i]] if ANSWERS[i] else ["y"] for i in range(ITEMS)]
        labels = [[text for text in own if text] for own in labels]
        predicted = [own[-1] if ok else random.choice(ANSWERS) for own, ok in zip(labels, right, strict=True)]
        applicable[2:4] = not lost
        by_item = metric(task.metric).statistic(predicted, labels, (), language)
        value = by_item[applicable].mean()
        return value, {"prediction": predicted, "label": labels, "item_value": by_item, "applicable": applicable}
    if task.kind == "token_classification":
        lengths = gold.integers(1, 6, ITEMS) * np.array([0 if lost and i == 3 else 1 for i in range(ITEMS)])
        labels = Ragged.of((gold.integers(0, len(task.labels), n) for n in lengths), np.int32)
        keep = random.random(len(labels.values)) < 0.5
        guesses = random.integers(0, len(task.labels), len(keep))
        predicted = labels.with_values(np.where(keep, labels.values, guesses).astype(np.int32))
        value = metric(task.metric).score(predicted, labels, task.labels)
        columns = {"prediction": predicted.arrays(), "label": labels.arrays(), "applicable": lengths > 0}
        return value, columns
    if task.kind == "multilabel":
        labels = gold.random((ITEMS, len(task.labels))) < 0.3
        scores = np.where(random.random(labels.shape) < 0.8, labels, ~labels) - 0.5
        found = [[np.flatnonzero(own > 0) for own in side] for side in (scores, labels)]
        columns = dict(zip(("prediction", "label"), found, strict=True))
        return metric(task.metric).score(scores, labels), columns | {"applicable": applicable}
    labels = gold.integers(0, len(task.labels), ITEMS).astype(np.int32)
    predicted = np.where(right, labels, random.integers(0, len(task.labels), ITEMS)).astype(np.int32)
    columns = {"prediction": predicted, "label": labels, "applicable": applicable}
    return metric(task.metric).score(predicted, labels), columns


def _ranked(task: tasks.Task, language: str, random: np.random.Generator) -> tuple[float, dict]:
    ids = tuple(f"{code}_{n}_1" for code in ("en", "de") for n in range(30))
    pool = None if task.candidates else Pool(ids, ("en",) * 30 + ("de",) * 30, {"text": list(ids)})
    labels = {
        "accuracy": np.arange(ITEMS, dtype=np.int32),
        "map_at_20": Ragged.of([(i, 30 + i) for i in range(ITEMS)], np.int64),
        "mrr_at_20": Ragged.of([(i,) for i in range(ITEMS)], np.int64),
        "mining_f1": Ragged.of([(i,) if i < 5 else () for i in range(ITEMS)], np.int64),
    }[task.metric]
    rows = Rows(task.name, "test", language, "general", names(task, language), {}, labels, pool)
    if task.metric == "mining_f1":
        mined = Mined(np.arange(7), np.array([0, 1, 9, 3, 4, 8, 20]), np.linspace(1, 0, 7).astype(np.float32))
        found = mined
    else:
        most = ITEMS if pool is None else 20
        indices = np.stack([random.permutation(ITEMS if pool is None else 60)[:most] for _ in range(ITEMS)])
        found = Ranked(np.zeros(indices.shape, np.float32), indices)
    form = Form({}, np.zeros(ITEMS, bool), 0.0)
    value, _, columns = kinds.kind(task.kind).cell(task, rows, form, None, {CLEAN_FORM: found}, CLEAN_FORM)
    return value, columns | {"applicable": np.ones(ITEMS, bool)}


def names(task: tasks.Task, language: str) -> np.ndarray:
    """Item ids as `tasks.load_rows` makes them; BUCC's published ids begin with the language too."""
    prefix = "" if task.parallel or len(task.languages) == 1 else f"{language}-"
    published = f"{language}-000" if task.name == "bucc2018" else "7/"
    return np.array([f"{task.name}/test/{prefix}{published}{i}" for i in range(ITEMS)], dtype=object)


def write(out, cells: list[dict]) -> None:
    """Write results; each cell gives the columns that differ from the defaults."""
    store, random = Store(out), np.random.default_rng(5)
    for number, about in enumerate(cells):
        task = tasks.get(about["task"])
        lost = about.get("perturbation", "clean") != "clean"
        value, columns = cell_of(task, about["language"], random, lost)
        row = {"model": "bert", "arm": "direct", "target": task.name, "split": "test", "domain": task.domain}
        row |= {"perturbation": "clean", "severity": 0.0, "replicate": 0, "seed": 0, "metric": task.metric}
        row |= {"value": float(value), "n": ITEMS, "cell": f"c{number}", "n_words_lost": 0}
        row["n_not_applicable"] = int((~columns["applicable"]).sum())
        item_id = names(task, about["language"])
        columns = {name: list(own) for name, own in columns.items() if name not in ("scores", "ranking")}
        store.cells.write([(row | about, {"item_id": item_id, **columns})])
    store.write_results({"cell": f"c{number}"} for number in range(len(cells)))


@pytest.mark.parametrize(
    ("benchmark", "perturbation", "languages"), [("xtreme-r", "clean", ()), ("xtreme", "swap", ("en", "de", "zh"))]
)
def test_scored_folders_give_the_figures_of_the_results(tmp_path, benchmark, perturbation, languages):
    """Every task; for noisy text, rows without their answer and lost words are left out."""
    official = BENCHMARKS[benchmark].tasks.values()
    codes = {task.name: [code for code in task.languages if not languages or code in languages] for task in official}
    cells = [{"task": name, "language": code, "perturbation": perturbation} for name in codes for code in codes[name]]
    write(tmp_path / "out", cells)
    written = write_official(tmp_path / "out", benchmark, tmp_path / "to", {"perturbation": perturbation})
    assert written.languages == {name: sorted(own) for name, own in codes.items()}
    scores = score(benchmark, tmp_path / "to" / "predictions", tmp_path / "to" / "labels", languages=languages)
    for row in pd.read_parquet(tmp_path / "out" / "results.parquet").itertuples():
        form = BENCHMARKS[benchmark].tasks[row.task].format
        figure = "f1" if form.name == "answers" else form.figure
        assert scores.languages[row.task][row.language][figure] == pytest.approx(100 * row.value), row
    assert scores.overall is not None and not any("have no prediction" in note for note in scores.notes)
    lost = [note for note in written.notes if "official label files do not fit" in note]
    assert bool(lost) == (perturbation == "swap")


def test_lextreme_by_seeds(tmp_path):
    languages = ("en", "de", "el", "pt", "ro")
    cells = [
        {"task": f"lextreme_{task.name}", "language": code, "seed": seed}
        for task in LEXTREME.tasks.values()
        for code in task.languages
        for seed in (1, 2, 3)
        if code in languages
    ]
    write(tmp_path / "out", cells)
    written = write_official(tmp_path / "out", "lextreme", tmp_path / "to")
    assert {path.name for path in (tmp_path / "to" / "predictions").iterdir()} == {"seed-1", "seed-2", "seed-3"}
    assert set(written.languages) == set(LEXTREME.tasks)
    scores = score("lextreme", tmp_path / "to" / "predictions", tmp_path / "to" / "labels", languages=languages)
    results = pd.read_parquet(tmp_path / "out" / "results.parquet")
    for (task, language), own in results.groupby(["task", "language"]):
        if tasks.get(task).kind != "token_classification":  # whose metric in a study is of all entities together
            found = scores.languages[task.removeprefix("lextreme_")][language]["macro_f1"]
            assert found == pytest.approx(100 * own["value"].mean())
    write_official(tmp_path / "out", "lextreme", tmp_path / "one", {"seed": 2})
    assert [path.name for path in (tmp_path / "one" / "predictions").iterdir()] == ["seed-2"]


@pytest.fixture
def several(tmp_path):
    """Results of two models, two severities of an operator, two targets that share a task, some languages."""
    write(
        tmp_path / "out",
        [
            {"task": task, "language": code, "model": model, "target": target, "arm": "direct"} | noise
            for model in ("bert", "xlnet")
            for task, target in (("xnli", "xnli"), ("xquad", "squad"), ("xquad", "tydiqa"))
            for code in ("en", "sw", "th")
            if code != "sw" or task == "xnli"
            for noise in (
                {},
                {"perturbation": "swap", "severity": 0.1},
                {"perturbation": "swap", "severity": 0.2},
            )
        ]
        + [{"task": "imdb", "language": "en"}],
    )
    return tmp_path / "out"


def run(capsys, *arguments) -> tuple[int, str, str]:
    code = main.main(["score", "--benchmark", "xtreme-r", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_one_selection_is_written_with_notes_on_what_it_lacks(several, tmp_path, capsys):
    chosen = ("--model", "xlnet", "--target", "squad", "--perturbation", "swap", "--severity", "0.2")
    code, out, _ = run(capsys, "--store", several, "--write", tmp_path / "to", *chosen, "--json")
    found = json.loads(out)
    expected = {"model": "xlnet", "target": "squad", "perturbation": "swap", "severity": 0.2}
    assert code == 0 and found["selection"] == expected | {"arm": "direct", "seed": 0, "replicate": 0}
    assert found["languages"] == {"xquad": ["en", "th"]}
    _, out, _ = run(capsys, "--store", several, "--write", tmp_path / "clean", "--model", "bert", "--target", "xnli")
    lines = out.splitlines()
    assert "xnli: en sw th" in lines and "note: to score these languages: score --languages en sw th" in lines
    assert any(line.startswith("note: xnli: not in ar bg de el") for line in lines)
    folders = ("--predictions", tmp_path / "clean" / "predictions", "--labels", tmp_path / "clean" / "labels")
    code, _, err = run(capsys, *folders)
    assert code == 2 and "test-ar.tsv: no such file" in err
    code, out, _ = run(capsys, *folders, "--languages", "en", "sw", "th")
    assert code == 0 and "(mean of 3 languages)" in out and "no figure here is the benchmark's own" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "several values of model: bert, xlnet; choose one with --model"),
        (("--model", "bort"), "did you mean 'bert'"),
        (("--model", "bert"), "several values of target: squad, tydiqa, xnli; choose one with --target"),
        (("--model", "bert", "--target", "xnli", "--perturbation", "swap"), "several values of severity: 0.1, 0.2"),
        (("--model", "bert", "--perturbation", "swop"), "did you mean 'swap'"),
        (("--model", "bert", "--severity", "0.3"), "unknown severity"),
        (("--labels", "x"), "--labels does not go with --store"),
        (("--languages", "en"), "--languages does not go with --store"),
    ],
)
def test_unknown_and_ambiguous_selections_are_one_line(several, tmp_path, capsys, arguments, message):
    code, out, err = run(capsys, "--store", several, "--write", tmp_path / "to", *arguments)
    assert code == 2 and not out and message in err and err.startswith("error: ") and err.count("\n") == 1
    assert not (tmp_path / "to").exists()


def test_other_wrong_input_is_one_line(several, tmp_path, capsys):
    for arguments, message in (
        (("--store", several), "required: --write"),
        (("--store", tmp_path / "no", "--write", tmp_path / "to"), "results.parquet: not found"),
        (("--store", several, "--write", several, "--model", "bert"), "holds files; expected a new or empty folder"),
        (("--labels", "x", "--predictions", "y", "--model", "bert"), "--model goes with --store"),
        (("--labels", several, "--predictions", several, "--languages", "xx"), "unknown language of xtreme-r 'xx'"),
    ):
        code, _, err = run(capsys, *arguments)
        assert code == 2 and message in err and err.count("\n") == 1
    with pytest.raises(InputError, match=r"holds no task of lextreme .* it has imdb, xnli, xquad"):
        write_official(several, "lextreme", tmp_path / "to")
    change_cells(several, {"c0": lambda cell: None})
    with pytest.raises(InputError, match=r"cells: cell 'c0' not found, though results.parquet or"):
        write_official(several, "xtreme-r", tmp_path / "to", {"model": "bert", "target": "xnli"})


def test_a_study_s_own_task_has_its_own_labels(tmp_path):
    write(tmp_path / "out", [{"task": "xnli", "language": code} for code in ("en", "de")])
    plan = {"study_id": "x", "name": "x", "study": {"tasks": [{"name": "xnli", "languages": ["en"], "parallel": True}]}}
    for labels in (["yes", "maybe", "no"], ["no", "yes"]):
        plan["study"]["tasks"][0]["labels"] = labels
        (tmp_path / "out" / "plan.json").write_text(json.dumps(plan))
        if len(labels) == 2:
            with pytest.raises(InputError, match="its labels no, yes are not the official contradiction, entailment"):
                write_official(tmp_path / "out", "xtreme-r", tmp_path / "other")
