"""LEXTREME: macro-F1 of folders; means over seeds, harmonic means over languages, configurations and data sets."""

import pytest
from scipy.stats import hmean

from itt_jax import main, tasks
from itt_jax.errors import InputError
from itt_jax.score import score, write_predictions
from itt_jax.score.benchmarks import LEXTREME
from itt_jax.score.layout import write_labels
from itt_jax.score.lextreme import DATASETS, lextreme_score, macro_f1


def test_successive_harmonic_means():
    scores = {
        "swiss_judgment_prediction": {"de": [0.6, 0.7, 0.8], "fr": [0.5, 0.5, 0.5], "it": [0.4, 0.5, 0.6]},
        "brazilian_court_decisions_judgment": {"pt": [0.5, 0.6, 0.7]},
        "brazilian_court_decisions_unanimity": {"pt": [0.9, 0.9, 0.9]},
        "mapa_coarse": {"en": [0.2, 0.3, 0.4]},
    }
    found = lextreme_score(scores)
    assert found["swiss_judgment_prediction"] == pytest.approx(hmean([0.7, 0.5, 0.5]))
    assert found["brazilian_court_decisions"] == pytest.approx(hmean([0.6, 0.9]))
    assert found["mapa"] == pytest.approx(0.3) and set(found) == {*list(found)[:3], "lextreme"}
    assert found["lextreme"] == pytest.approx(hmean([hmean([0.7, 0.5, 0.5]), hmean([0.6, 0.9]), 0.3]))
    scores["mapa_coarse"]["lv"] = [0.0, 0.0, 0.0]
    assert lextreme_score(scores)["mapa"] == lextreme_score(scores)["lextreme"] == 0


def test_wrong_scores_are_refused():
    with pytest.raises(InputError, match="unknown LEXTREME configuration 'legalner'; did you mean 'legalnero'"):
        lextreme_score({"legalner": {"ro": [0.5]}})
    with pytest.raises(InputError, match=r"same number of seeds everywhere, found \[1, 2\]"):
        lextreme_score({"legalnero": {"ro": [0.5]}, "lener_br": {"pt": [0.5, 0.6]}})
    with pytest.raises(InputError, match="same number of seeds"):
        lextreme_score({})
    with pytest.raises(InputError, match="from 0 to 1"):
        lextreme_score({"legalnero": {"ro": [61.0]}})


def test_the_catalogue_has_only_configurations_of_lextreme():
    known = {config for configs in DATASETS.values() for config in configs}
    ours = {name.removeprefix("lextreme_") for name in tasks.names() if name.startswith("lextreme_")}
    assert ours < known and len(known) == 18
    assert known - ours == {
        "greek_legal_code_chapter", "greek_legal_code_subject", "mapa_fine", "multi_eurlex_level_2",
        "multi_eurlex_level_3",
    }  # fmt: skip


def test_macro_f1_by_hand():
    courts = LEXTREME.tasks["swiss_judgment_prediction"]
    gold, guess = ["approval", "dismissal", "dismissal"], ["approval", "approval", "dismissal"]
    assert macro_f1(courts, guess, gold) == pytest.approx(2 / 3)
    assert macro_f1(courts, ["approval"], ["approval"]) == 1  # over the classes that occur
    terms = LEXTREME.tasks["online_terms_of_service_clause_topics"]
    assert macro_f1(terms, [["a"], []], [["a"], ["ch"]]) == pytest.approx(1 / 9)  # over all classes


@pytest.fixture
def two_seeds(tmp_path):
    """Folders of predictions and labels: two configurations, two seeds."""
    gold = {
        ("german_argument_mining", "de"): ["other", "definition", "other"],
        ("legalnero", "ro"): [["B-PER", "I-PER", "O"], ["B-LOC"]],
    }
    for (config, language), labels in gold.items():
        write_labels(tmp_path / "labels", "lextreme", config, language, labels)
        for seed in (1, 2):
            write_predictions(tmp_path / "predictions" / f"seed-{seed}", "lextreme", config, language, labels)
    guess = [["B-PER", "O", "O"], ["B-LOC"]]
    write_predictions(tmp_path / "predictions" / "seed-2", "lextreme", "legalnero", "ro", guess)
    return tmp_path / "predictions", tmp_path / "labels"


def test_folders_of_several_seeds(two_seeds):
    scores = score("lextreme", *two_seeds)
    assert scores.languages["legalnero"] == {"ro": {"macro_f1": pytest.approx(75)}}
    assert scores.figures == pytest.approx({"german_argument_mining": 100, "legalnero": 75})
    assert scores.overall.value == pytest.approx(hmean([100, 75])) and "mapa_coarse" in scores.absent
    assert "lextreme average: 85.71 = harmonic mean of german_argument_mining 100.00, legalnero 75.00" in scores.text()
    alone = score("lextreme", two_seeds[0] / "seed-1", two_seeds[1])
    assert alone.overall.value == 100 and "arithmetic mean over 1 seed" in alone.text()


def test_wrong_folders_are_one_line(two_seeds, capsys):
    predictions, labels = two_seeds
    legal = predictions / "seed-2" / "legalnero" / "test-ro.tsv"

    def line() -> str:
        arguments = ["score", "--benchmark", "lextreme", "--predictions", str(predictions), "--labels", str(labels)]
        assert main.main(arguments) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        return error

    legal.write_text("B-PER\nO\n\nB-LOC\n")
    assert f"{legal}: sentence 1: found 2 predicted tags, expected 3" in line()
    legal.write_text("B-PER\nO\nB-PRE\n")
    assert f"{legal}, line 3: unknown tag 'B-PRE'; did you mean 'B-PER'?" in line()
    legal.unlink()
    assert f"{legal}: no such file" in line()
    legal.parent.rmdir()
    assert "legalnero: no such folder, though another seed has it" in line()
    (predictions / "seed-1" / "legalnero").rename(predictions / "seed-1" / "legalner")
    assert "unknown LEXTREME configuration" in line()
    folder = labels.parent / "sets"
    sets = folder / "online_terms_of_service_clause_topics" / "test-de.jsonl"
    sets.parent.mkdir(parents=True)
    for text, message in (('["ch"', "expected a JSON list of labels"), ('["x"]', "unknown label 'x'")):
        sets.write_text(f"[]\n{text}\n")
        with pytest.raises(InputError, match=f"test-de.jsonl, line 2: {message}"):
            score("lextreme", folder, folder, languages=["de"])
