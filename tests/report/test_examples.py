"""Examples: texts kept beside the results, and blocks that a page loads as plain data."""

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from itt_jax import tasks
from itt_jax.errors import InputError
from itt_jax.kinds.forms import CLEAN_FORM
from itt_jax.perturb import perturb
from itt_jax.report.examples import blocks, noise_name
from itt_jax.store import Store
from itt_jax.store.results import read_results
from itt_jax.store.texts import Texts, read_texts, texts_id, write_texts
from itt_jax.study.texts import ROWS, keep_texts
from tests.simulated_store import change_cells, write_store

HOSTILE = "</script><script>window.hacked = 1</script>\u2028<img src=x onerror='window.hacked = 1'>"
ARABIC = "القانون عادل"
PLACES = (("sentiment_general", "test", "en"), ("sentiment_general", "test", "ar"))


def add_texts(out, shown: int = 12) -> None:
    """Texts of the first rows of a simulated store, hostile ones and ones from right to left among them."""
    for place in PLACES:
        items = [f"sentiment/general/{number}" for number in range(shown)]
        text = ARABIC if place[2] == "ar" else f"good {HOSTILE}"
        clean = [[f"{text} {number}"] for number in range(shown)]
        changed = {
            item: [own[0].replace(text[:4], text[:4][::-1])] for item, own in zip(items[1:], clean[1:], strict=True)
        }
        forms = {("swap", severity, 0): changed for severity in (0.1, 0.2)}
        labels = ("لا", "نعم") if place[2] == "ar" else ("no", "yes")
        write_texts(Store(out), place, Texts("1", "classification", labels, ("text",), items, clean, forms))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    out = tmp_path_factory.mktemp("store")
    languages, noises = ("en", "ar"), (("swap", (0.1, 0.2)),)
    write_store(out, languages=languages, domains=("general",), noises=noises, seeds=(0, 1), items=30)
    add_texts(out)
    return out


def test_blocks_hold_texts_and_every_models_predictions(store):
    results = read_results(store)
    found = list(blocks(store, results))
    assert [block.about["noise"] for block in found] == ["swap 0.1", "swap 0.2"] * 2
    assert [block.about["language"] for block in found] == ["en", "en", "ar", "ar"]
    data = found[1].data
    own = results[(results["language"] == "en") & (results["severity"] == 0.2)]
    assert data["models"] == list(own[["model", "arm", "seed"]].itertuples(index=False, name=None)) and data["of"] == 30
    for row, predictions, scores in zip(own.itertuples(), data["after"], data["after_scores"], strict=True):
        cell = Store(store).read_cell(row.cell).head(12)
        assert [data["names"][one] for one in predictions] == [("no", "yes")[one] for one in cell["prediction"]]
        assert scores == [round(100 / (1 + np.exp(-0.8)))] * 12
    assert data["items"][0]["noisy"] is None and data["items"][1]["noisy"] == [f"doog {HOSTILE} 1"]
    assert data["names"][data["items"][1]["right"][0]] == data["items"][1]["label"] == "yes"


def test_a_block_is_ascii_and_calls_one_function(store):
    script = next(iter(blocks(store, read_results(store)))).script
    assert script.isascii() and "\n" not in script[:-1]
    file, data = json.loads(f"[{script.removeprefix('ittExamples(').removesuffix(');' + chr(10))}]")
    assert file == "examples/00001.js" and data["items"][0]["clean"] == [f"good {HOSTILE} 0"]


def test_rows_without_texts_or_predictions_have_no_block(tmp_path, store):
    out = write_store(tmp_path, domains=("general",), languages=("en",), noises=(), seeds=(0,), items=5)
    assert list(blocks(out, read_results(out))) == []
    add_texts(out, 5)
    (block,) = blocks(out, read_results(out))
    assert block.about["noise"] == "clean" and block.data["before"] == block.data["after"]
    results = read_results(out)
    change_cells(out, {results["cell"].iloc[0]: lambda cell: None})
    assert list(blocks(out, results)) == []


@pytest.mark.parametrize(
    ("variant", "name"), [(("swap", 0.1, 0), "swap 0.1"), (("swap", 1.0, 2), "swap 1, draw 3"), (CLEAN_FORM, "clean")]
)
def test_noises_have_names(variant, name):
    assert noise_name(*variant) == name


def test_texts_are_those_that_models_read(tmp_path):
    """Those of all rows perturbed at once, whatever rows are kept; a second time nothing is written."""
    task, place = tasks.get("embedded_sentiment_legal"), ("embedded_sentiment_legal", "test", "de")
    rows = tasks.load_rows(task, "test", "de")
    wanted = {CLEAN_FORM: None, ("swap", 0.1, 0): None}
    keep_texts(Store(tmp_path), task, "test", rows, wanted, 7, {})
    found = read_texts(Store(tmp_path), place)
    assert len(found.items) == ROWS and found.labels == list(task.labels)
    every = perturb(rows.fields["text"], "swap", 0.1, "de", 7, ids=list(rows.item_ids), field="text")
    expected = [text for item, text in zip(rows.item_ids, every, strict=True) if item in set(found.items)]
    own = [found.forms["swap", 0.1, 0].get(item, before) for item, before in zip(found.items, found.clean, strict=True)]
    assert [text for (text,) in own] == expected != [text for (text,) in found.clean]
    assert set(tasks.limit(rows, 20).item_ids) < set(found.items)  # those that an attack on 20 rows reads
    (path,) = (tmp_path / "texts").iterdir()
    before = path.stat().st_mtime_ns
    keep_texts(Store(tmp_path), task, "test", rows, wanted, 7, {})
    assert path.stat().st_mtime_ns == before
    keep_texts(Store(tmp_path), task, "test", rows, wanted, 8, {})
    assert texts_id(Store(tmp_path), place) != found.id


@pytest.mark.parametrize("metadata", [{}, {"texts": "{"}, {"texts": "[]"}, {"texts": '{"id": 1}'}, None])
def test_a_file_of_texts_that_is_not_ours_is_named_and_made_again(tmp_path, metadata):
    store, place = Store(tmp_path), ("a", "test", "en")
    texts = Texts("id", "classification", ("no", "yes"), ("text",), ["1"], [["good"]], {})
    write_texts(store, place, texts)
    (path,) = (tmp_path / "texts").iterdir()
    table = pq.read_table(path)
    changed = table.drop_columns(["texts"]) if metadata is None else table.replace_schema_metadata(metadata)
    pq.write_table(changed, path)
    with pytest.raises(InputError, match=rf"{path.name}: not a file of texts.*; remove it to have it made again"):
        read_texts(store, place)
    assert texts_id(store, place) is None
    write_texts(store, place, texts)
    assert texts_id(store, place) == "id" and read_texts(store, place).clean == [["good"]]


PAIR = {"task": "pairs", "target": "pairs", "split": "test", "language": "en", "domain": "d", "metric": "accuracy"}


def write_pairs(out, attacked: dict[str, list], fields=("premise", "hypothesis")) -> pd.DataFrame:
    """A clean cell of three rows and one under attack for each seed; returns the results.

    Args:
        attacked: seed -> the attacked texts of the hypothesis of rows 0 and 2.
    """
    store, rows, items = Store(out), [], ["a", "b", "c"]
    clean = [["p0", "h0"], ["p1", "h1"], ["p2", "h2"]]
    place = (PAIR["task"], PAIR["split"], PAIR["language"])
    write_texts(store, place, Texts("1", "classification", ("no", "yes"), fields, items, clean, {}))
    for seed, texts in attacked.items():
        for attack in (False, True):
            about = PAIR | {"model": "bert", "arm": "direct", "seed": seed, "attack": attack, "severity": 0.0}
            about |= {"replicate": 0, "perturbation": "pruthi" if attack else "clean", "cell": f"{seed}{attack:d}"}
            own = ["c", "a"] if attack else items  # in an order of their own
            columns = {"item_id": own, "label": [1] * len(own), "applicable": [True] * len(own)}
            columns |= {"prediction": [0 if attack else 1] * len(own), "scores": [[0.0, 1.0]] * len(own)}
            if attack:
                changed = [text != before for text, before in zip(texts, ("h2", "h0"), strict=True)]
                columns |= {"text": texts, "changed": changed, "queries": [1, 1200], "result": ["failed", "succeeded"]}
            store.cells.write([(about | {"n": len(own), "value": 1.0}, columns)])
            rows.append(about | {"n": len(own)})
    return pd.DataFrame(rows)


def test_an_attack_has_a_text_for_each_model(tmp_path):
    """Of the rows that were attacked, beside the clean text of the field that was edited."""
    (block,) = blocks(tmp_path, write_pairs(tmp_path, {0: ["h2", "h0!"], 1: ["h2?", "h0"]}))
    data = block.data
    assert (block.about["attack"], block.about["noise"], "operator" in block.about) == ("pruthi", "pruthi", False)
    assert [item["id"] for item in data["items"]] == ["a", "c"] and data["fields"][data["field"]] == "hypothesis"
    assert data["models"] == [("bert", "direct", 0), ("bert", "direct", 1)] and data["of"] == 2
    assert data["texts"] == [["h0!", None], [None, "h2?"]]
    assert data["notes"] == [["succeeded, 1,200 queries", "failed, 1 query"]] * 2
    named = [[data["names"][one] for one in data[side][0]] for side in ("before", "after")]
    assert named == [["yes", "yes"], ["no", "no"]] and data["items"][1]["clean"] == ["p2", "h2"]


def test_an_attack_whose_field_is_unknown_has_no_block(tmp_path):
    """Every text differs from both fields."""
    assert list(blocks(tmp_path, write_pairs(tmp_path, {0: ["x", "y"]}))) == []


def test_answers_are_right_as_their_metric_says(tmp_path):
    """Any of the right answers, normalised: the cell says which prediction is."""
    store, place = Store(tmp_path), ("qa", "test", "en")
    texts = Texts("1", "question_answering", (), ("question", "context"), ["a", "b"], [["q", "c"]] * 2, {})
    write_texts(store, place, texts)
    about = PAIR | {"task": "qa", "target": "qa", "model": "bert", "arm": "direct", "seed": 0, "attack": False}
    about |= {"perturbation": "clean", "severity": 0.0, "replicate": 0, "cell": "x", "n": 2, "value": 0.5}
    gold = [["Paris", "paris, France"], ["two"]]
    columns = {"item_id": ["a", "b"], "prediction": ["The PARIS.", "three"], "scores": [[0.1, 0.2]] * 2, "label": gold}
    store.cells.write([(about, columns | {"applicable": [True, True], "exact_match": [1.0, 0.0]})])
    (block,) = blocks(tmp_path, pd.DataFrame([about]))
    first, second = block.data["items"]
    assert first["label"] == "Paris or paris, France" and second["right"] == []
    assert [block.data["names"][one] for one in first["right"]] == ["The PARIS."]
