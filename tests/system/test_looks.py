"""Studies that grow by seeds, trained and looked at: one is decided at its second look, one ends undetermined."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from itt_jax.analysis import analyse, look_at
from itt_jax.config import Perturbation, Recipe, Stopping, Study, Target
from itt_jax.data.sources import LocalFiles
from itt_jax.errors import InputError
from itt_jax.report import summary_markdown
from itt_jax.store import Store
from itt_jax.study import run, run_until_decided
from itt_jax.tasks import Task
from tests.system.runs import encoder

pytestmark = [pytest.mark.slow, pytest.mark.volume]

WORDS = {
    "en": (("awful", "boring", "broken", "dreadful"), ("lovely", "brilliant", "splendid", "wonderful")),
    "de": (("furchtbar", "langweilig", "kaputt", "schlimm"), ("herrlich", "wunderbar", "gelungen", "prima")),
}
LABELS = ("bad", "good")
SPLITS = {"train": 160, "dev": 80, "test": 80}


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Study:
    """A study of short reviews, whose label is said by one word; training on both languages against English alone."""
    folder, random = tmp_path_factory.mktemp("reviews"), np.random.default_rng(0)
    for split, count in SPLITS.items():
        lines = {language: [] for language in WORDS}
        for number in range(count):
            label, word, filler = number % 2, int(random.integers(4)), int(random.integers(3))
            for language, own in lines.items():
                text = f"{split} {number} {('film', 'book', 'song')[filler]} {WORDS[language][label][word]}"
                own.append(json.dumps({"text": text, "label": LABELS[label]}))
        for language, own in lines.items():
            (folder / f"{language}-{split}.jsonl").write_text("\n".join(own) + "\n", encoding="utf-8")
    paths = {split: f"{folder}/{{language}}-{split}.jsonl" for split in SPLITS}
    source = LocalFiles(paths, "jsonl", {"text": "text"}, "label")
    task = Task("reviews", "classification", ("text",), (source,), LABELS, languages=tuple(WORDS), parallel=True)
    recipe = Recipe(steps=60, batch_size=16, learning_rates=(1e-2,), max_length=16, packed=False, dropout=False)
    return Study(
        name="looks",
        encoders=(encoder("task:reviews", 150, pooling="mean"),),
        targets=(Target("reviews", train="reviews", recipe=recipe),),
        arms=("direct", "translate_train"),
        perturbations=(Perturbation("swap", (0.1,)),),
        tasks=(task,),
        seeds=(0,),
        languages=tuple(WORDS),
        max_length=16,
        smallest_effect=0.3,
        stopping=Stopping(looks=(2, 4, 6)),
    )


@pytest.fixture(scope="module")
def decided(study, tmp_path_factory):
    """The folder of the study, which stopped by itself."""
    out = tmp_path_factory.mktemp("out") / "decided"
    run_until_decided(study, out, look_at, quiet=True)
    return out


def looks(out) -> list[dict]:
    store = Store(out)
    return store.agreed.looks(store.plan()["declared"]["hash"])


def test_a_study_undecided_at_its_first_look_stops_at_the_second(study, decided, tmp_path):
    first, second = looks(decided)
    assert [(look["seeds"], look["stop"]) for look in (first, second)] == [(2, False), (4, True)]
    before, after = (look["questions"][0] for look in (first, second))
    assert (before["verdict"], after["verdict"]) == ("undetermined", "negligible")
    assert (before["seeds"], after["seeds"]) == (2, 4) and after["groups"] >= 1  # there is signal
    assert -0.3 < after["ci_low"] < after["ci_high"] < 0.3 and before["ci_high"] - before["ci_low"] > 0.6
    analysis = analyse(decided)
    assert set(analysis.cells["seed"]) == {0, 1, 2, 3} and analysis.missing_cells == 0
    assert analysis.primary["verdict"].tolist() == ["negligible"] and analysis.primary["look"].tolist() == [4]
    text = summary_markdown(analysis)
    assert "Looked at after 2 and 4 of at most 6 seeds" in text and "looks after 2, 4 and 6 seeds" in text
    assert run_until_decided(study, decided, look_at, quiet=True).made == 0 and len(looks(decided)) == 2
    alone = tmp_path / "results alone"
    shutil.copytree(decided, alone, ignore=shutil.ignore_patterns("cells", "stages", "report"))
    assert analyse(alone).primary["verdict"].tolist() == []
    with pytest.raises(InputError, match="its study was looked at already"):
        run(dataclasses.replace(study, seeds=(0, 1, 2, 3)), decided, quiet=True)


def test_a_study_that_max_seeds_ends_is_undetermined(study, decided, tmp_path):
    """Its bound is below what four seeds can tell; stages and cells are those that are there."""
    out = tmp_path / "out"
    shutil.copytree(decided, out, ignore=shutil.ignore_patterns("looks", "report"))
    found = run_until_decided(dataclasses.replace(study, smallest_effect=1e-4), out, look_at, max_seeds=3, quiet=True)
    assert found.made == 0
    assert [(look["seeds"], look["stop"]) for look in looks(out)] == [(2, False), (3, False)]
    analysis = analyse(out)
    assert analysis.primary["verdict"].tolist() == ["undetermined"] and analysis.looked.looks == (2, 3)
    assert "Looked at after 2 and 3 of at most 3 seeds" in summary_markdown(analysis)
