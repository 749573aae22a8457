"""Material: rows read once, contamination dropped and counted, digests of content."""

import dataclasses

import numpy as np
import pytest

from itt_jax import kinds, tasks
from itt_jax.config import Corpus, EncoderSpec, canonical
from itt_jax.data.contamination import Contamination
from itt_jax.data.sources import LocalFiles
from itt_jax.errors import InputError
from itt_jax.study.description import describe
from itt_jax.study.material import Material, Selection, digest_files, digest_rows, mean_tokens
from itt_jax.study.plan import make_plan
from itt_jax.tasks import Task
from tests.study.studies import STUDY

TRAIN = [
    "the court was fair to them",
    "a long and unfair contract",
    "nobody read the small print",
    "the judge agreed with them",
]
TEST = ["the judge agreed with them", "an appeal was then filed", "A long and UNFAIR contract"]


@pytest.fixture
def own(tmp_path):
    """Material of a study on a task of its own; two of its training texts are evaluated."""
    for split, texts in {"train": TRAIN, "dev": ["one more", TEST[1]], "test": TEST}.items():
        (tmp_path / f"{split}.tsv").write_text("".join(f"{text}\tgood\n" for text in texts))
    paths = {split: str(tmp_path / f"{split}.tsv") for split in ("train", "dev", "test")}
    source = LocalFiles(paths, "tsv", {"text": 0}, 1, header=False)
    task = Task("own", "classification", ("text",), (source,), ("good", "bad"))
    target = dataclasses.replace(STUDY.targets[0], train="own")
    return Material(dataclasses.replace(STUDY, targets=(target,), tasks=(task,), languages=()))


def test_training_rows_lack_what_is_evaluated_and_the_count_is_kept(own):
    rows = own.uncontaminated_rows(Selection("own", "train", "en"))
    assert rows.fields["text"] == [TRAIN[0], TRAIN[2]]
    (entry,) = own.contamination.values()
    assert (entry.source, entry.rows, entry.dropped) == ("own/train/en", 4, 2)


def test_dev_rows_lack_what_is_evaluated_and_the_count_is_kept(own):
    dev = Selection("own", "dev", "en")
    assert own.uncontaminated_rows(dev).fields["text"] == ["one more"]
    assert own.contamination["own/dev/en"] == Contamination("own/dev/en", 2, 1, "whole_input", 1, {"text": 1})
    assert own.digest(dev, uncontaminated=True) != own.digest(dev, uncontaminated=False)


def test_a_study_selects_on_dev_rows_that_it_does_not_evaluate(own, tmp_path):
    """The plan says how many were dropped, and the stage is named by those that are left."""
    plan = make_plan(own.study, own)
    (stage,) = (stage for stage in plan.stages.values() if stage.kind == "target")
    assert stage.identity(own)[5][1] == own.digest(stage.dev, uncontaminated=True)
    found = describe(own.study, tmp_path / "out")
    (entry,) = (entry for entry in found.as_dict()["contamination"] if entry["source"] == "own/dev/en")
    assert (entry["rows"], entry["dropped"], entry["fields"]) == (2, 1, {"text": 1})
    lines = found.text().splitlines()
    assert "  own/dev/en: 1 of 2 dropped (whole_input); 1 share their text" in lines
    assert any(line.startswith("warning: own/dev/en: 1 of 2 rows (50%) were dropped") for line in lines)


@pytest.mark.parametrize(
    "study_rule, task_rule, kept", [("off", "", 4), ("off", "whole_input", 2), ("any_field", "off", 4)]
)
def test_the_tasks_rule_precedes_the_studys(own, study_rule, task_rule, kept):
    task = dataclasses.replace(own.study.tasks[0], contamination=task_rule)
    material = Material(dataclasses.replace(own.study, tasks=(task,), contamination=study_rule))
    assert len(material.uncontaminated_rows(Selection("own", "train", "en"))) == kept
    (entry,) = material.contamination.values()
    assert (entry.whole_inputs, entry.dropped, entry.rule) == (2, 4 - kept, task_rule or study_rule)


def test_rules_are_part_of_ids_only_by_the_rows_they_leave(own):
    """The default is that of folders from before the rule existed."""
    assert "contamination" not in canonical(own.study) and "contamination" not in canonical(own.study.tasks[0])


def test_dev_rows_that_are_all_evaluated_are_an_error(own, tmp_path):
    (tmp_path / "dev.tsv").write_text(f"{TEST[0]}\tgood\n")
    with pytest.raises(InputError, match=r"^own/dev/en: 1 of 1 rows \(100%\) were dropped .*; none is left$"):
        make_plan(own.study, own)


@pytest.mark.parametrize(
    "name, dropped, whole, rows, of_300", [("stsb", 102, 2, 1500, 16), ("sick_relatedness", 53, 0, 500, 33)]
)
def test_dev_rows_in_the_test_split_of_stsb(name, dropped, whole, rows, of_300, data_root):
    target = dataclasses.replace(STUDY.targets[0], train="stsb")
    study = dataclasses.replace(STUDY, targets=(target,), languages=(), contamination="any_field")
    material = Material(study, data_root)
    dev = Selection(name, "dev", "en", 300)
    kept = set(material.uncontaminated_rows(dev).item_ids)
    assert len(kept) == 300
    entry = material.contamination[f"{name}/dev/en"]
    assert (entry.rows, entry.dropped, entry.whole_inputs) == (rows, dropped, whole)
    assert len(set(material.rows(dev).item_ids) - kept) == of_300


def test_the_limit_applies_to_what_is_left(own):
    everything = own.uncontaminated_rows(Selection("own", "train", "en"))
    one = own.uncontaminated_rows(Selection("own", "train", "en", 1))
    assert len(one) == 1 and set(one.item_ids) < set(everything.item_ids)


def test_limits_take_the_same_items_in_every_language():
    material = Material(STUDY)
    ids = [
        list(material.rows(Selection("embedded_sentiment_legal", "test", code, 7)).item_ids) for code in ("en", "de")
    ]
    assert ids[0] == ids[1] and len(ids[0]) == 7


def test_missing_files_of_an_own_task_are_an_error_and_of_a_catalogued_one_are_not(own, tmp_path):
    assert own.has("own", "test", "en") and not own.has("own", "test", "de")
    assert not Material(STUDY, tmp_path).has("xnli", "test", "en")
    (tmp_path / "test.tsv").unlink()
    with pytest.raises(InputError, match=r"test\.tsv"):
        Material(own.study).has("own", "test", "en")


def test_digests_depend_on_content():
    rows = tasks.load_rows(tasks.get("embedded_sentiment_legal"), "test", "en")
    labels = np.array(rows.labels)
    labels[0] = 1 - labels[0]
    texts = {**rows.fields, "text": ["changed", *rows.fields["text"][1:]]}
    others = [
        dataclasses.replace(rows, labels=labels),
        dataclasses.replace(rows, fields=texts),
        dataclasses.replace(rows, labels=None),
        rows.select(np.arange(len(rows)) > 0),
    ]
    kind = kinds.kind("classification")
    found = [digest_rows(kind, one) for one in (rows, *others)]
    assert len(set(found)) == 5
    assert digest_rows(kind, dataclasses.replace(rows)) == found[0]


def test_digests_of_every_kind_of_label():
    """Tagged words, answers and pools have digests too."""
    names = (
        "embedded_entities_legal",
        "embedded_inference_legal",
        "embedded_similarity_legal",
        "embedded_causes_general",
    )
    own = [tasks.get(name) for name in names]
    found = {digest_rows(kinds.kind(task.kind), tasks.load_rows(task, "test", "en")) for task in own}
    assert len(found) == len(names)


def test_files_are_named_by_content_and_relative_name(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
        (tmp_path / name / "vocab.txt").write_text("x")
    assert digest_files(tmp_path / "a") == digest_files(tmp_path / "b")
    (tmp_path / "b" / "model.safetensors").write_bytes(b"w")
    assert digest_files(tmp_path / "a") != digest_files(tmp_path / "b")
    assert digest_files(tmp_path / "a", weights=False) == digest_files(tmp_path / "b", weights=False)
    (tmp_path / "b" / "vocab.txt").write_text("y")
    assert digest_files(tmp_path / "a", weights=False) != digest_files(tmp_path / "b", weights=False)


def test_a_corpus_lacks_what_is_evaluated(own):
    assert own.corpus(Corpus("task:own")).texts["en"] == [TRAIN[0], TRAIN[2]]
    assert own.corpus_digest(Corpus("task:own")) != own.corpus_digest(Corpus("task:own", tuples=1))


def test_a_checkpoint_that_saw_evaluated_text_is_contaminated(own, tmp_path):
    spec = EncoderSpec("given", "bert", checkpoint=str(tmp_path))
    assert not own.is_contaminated(spec) and not own.is_contaminated(STUDY.encoders[0])
    (tmp_path / "checkpoint.json").write_text("{}")
    np.savez(tmp_path / "seen.npz", **vars(own.evaluation_text()))
    assert not own.is_contaminated(spec)  # a material reads a checkpoint once
    again = Material(own.study)
    assert again.is_contaminated(spec)
    assert again.seen_rows(spec).endswith("rows of own/test/en")


def test_mean_tokens_count_characters_and_special_tokens():
    rows = tasks.load_rows(tasks.get("embedded_sentiment_legal"), "test", "en")
    characters = np.mean([len(text) for text in rows.fields["text"]])
    assert mean_tokens(rows) == pytest.approx(characters / 3.5 + 2)


@pytest.mark.parametrize(
    ("files", "version"),
    [
        ({"vocab.txt": "[PAD]"}, 1),
        ({"spiece.model": "", "tokenizer_config.json": '{"tokenizer_class": "XLNetTokenizer"}'}, 2),
        ({"sentencepiece.bpe.model": "", "tokenizer.json": "{}", "config.json": '{"model_type": "xlm-roberta"}'}, 1),
        ({"tokenizer.json": "{}", "config.json": '{"model_type": "xlnet"}'}, 2),
        ({"tokenizer.json": "{}", "config.json": '{"model_type": "bert"}'}, 1),
        ({"tokenizer.json": "{}"}, 2),
        ({"tokenizer.json": "{}", "tokenizer_config.json": '{"model_input_names": ["input_ids"]}'}, 1),
    ],
)
def test_the_digest_of_a_tokenizer_says_how_it_is_read(files, version, own, tmp_path):
    folder = tmp_path / "encoder"
    inner = folder / "tokenizer"
    inner.mkdir(parents=True)
    for name, content in files.items():
        (inner / name).write_text(content)
    whole = digest_files(folder, weights=False)
    expected = whole if version == 1 else f"{whole}-{version}"
    assert own.tokenizer_digest(EncoderSpec(name="a", family="xlnet", checkpoint=str(folder))) == expected
