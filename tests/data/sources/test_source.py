"""Sources and tasks: a user-defined source, which source is read, and errors for wrong names."""

import dataclasses
import re

import pytest

from itt_jax import tasks
from itt_jax.data.sources import SOURCES, Hub, LocalFiles, Source, data_root
from itt_jax.errors import InputError
from itt_jax.tasks import Task
from tests.data.sources.own_task import own_task
from tests.extension.toy_source import LocalProverbs


@pytest.mark.parametrize("source", SOURCES)
def test_a_source_is_a_frozen_dataclass_that_says_what_it_reads(source):
    assert issubclass(source, Source) and dataclasses.is_dataclass(source) and source.__dataclass_params__.frozen
    assert source.__doc__ and source.read.__doc__ and not source.__abstractmethods__
    for field in dataclasses.fields(source):
        assert re.search(rf"^ +(\w+, )*{field.name}(, \w+)*: ", source.__doc__ + Source.__doc__, re.MULTILINE), (
            field.name
        )


def test_the_source_of_contributing_md(tmp_path):
    """It works in a task as it is, without being registered anywhere; tests/extension runs its use."""
    assert LocalProverbs not in SOURCES
    task = own_task(LocalProverbs({"test": "{language}.txt"}), languages=("en", "de"))
    (tmp_path / "en.txt").write_text("Practice makes perfect. [good]\nHaste makes waste. [bad]\n")
    assert tasks.load_rows(task, "test", "en", tmp_path).labels.tolist() == [1, 0]
    with pytest.raises(InputError, match=r"de\.txt: no such file"):
        tasks.load_rows(task, "test", "de", tmp_path)
    (tmp_path / "en.txt").write_text("Practice makes perfect.\n")
    with pytest.raises(InputError, match=r"en\.txt, line 1: expected a text and its label in brackets"):
        tasks.load_rows(task, "test", "en", tmp_path)


def test_missing_files_splits_languages_and_wrong_tasks(tmp_path):
    source = LocalFiles({"test": "{language}.csv"}, "csv", {"text": "text"}, "label", languages={"en": "english"})
    with pytest.raises(InputError, match=r"english.csv: no such file or folder \(data root .*, from --data-root\b"):
        tasks.load_rows(own_task(source), "test", "en", tmp_path)
    with pytest.raises(InputError, match=r"english.csv: no such file or folder \(give --data-root DIR"):
        tasks.load_rows(own_task(source), "test", "en")
    with pytest.raises(InputError, match=r"unknown mine split 'tset'; did you mean 'test'"):
        tasks.load_rows(own_task(source), "tset", "en", tmp_path)
    both = own_task(source, languages=("en", "de"))
    with pytest.raises(InputError, match=r"no language 'de'; it has en"):
        tasks.load_rows(both, "test", "de", tmp_path)
    assert tasks.has_rows(both, "test[:50%]", "en") and not tasks.has_rows(both, "test", "de")
    (tmp_path / "english.csv").write_text("text,label\na,good\n")
    with pytest.raises(InputError, match="columns for text, expected its fields text, other"):
        tasks.load_rows(own_task(source, fields=("text", "other")), "test", "en", tmp_path)
    with pytest.raises(InputError, match="unknown file format 'cvs'; did you mean 'csv'"):
        LocalFiles({"test": "a"}, "cvs", {"text": 0})
    with pytest.raises(InputError, match=r"expected no braces but those of \{language\}"):
        tasks.load_rows(own_task(LocalFiles({"test": "{lang}.csv"}, "csv", {"text": 0})), "test", "en")
    with pytest.raises(InputError, match="classification needs at least two labels"):
        own_task(source, labels=("one",))
    with pytest.raises(InputError, match="unknown field in editable of task 'mine': 'txt'"):
        own_task(source, editable=("txt",))
    with pytest.raises(InputError, match=r"--data-root: .* is not a folder"):
        data_root(tmp_path / "absent")


def test_local_files_come_first_when_there_is_a_root(tmp_path):
    (tmp_path / "a.csv").write_text("text,label\na,good\n")
    hub = Hub(str(tmp_path / "no such set"), {"text": "text"}, label="label")
    task = Task(
        "mine",
        "classification",
        ("text",),
        (hub, LocalFiles({"test": "a.csv"}, "csv", {"text": "text"}, "label")),
        ("bad", "good"),
    )
    assert tasks.load_rows(task, "test", "en", tmp_path).fields["text"] == ["a"]
    with pytest.raises(InputError, match=r"hub data set .*no such set, split test"):
        tasks.load_rows(task, "test", "en")


def test_a_study_may_hold_its_ownown_task(tmp_path):
    from itt_jax import config

    (tmp_path / "mine.csv").write_text("text,label\nfine,good\nawful,bad\n")
    path = tmp_path / "study.py"
    path.write_text(
        "from itt_jax.config import *\nfrom itt_jax.tasks import Task\nfrom itt_jax.data.sources import LocalFiles\n"
        "own = Task('mine', 'classification', ('text',), labels=('bad', 'good'),\n"
        "    sources=(LocalFiles({'test': 'mine.csv'}, 'csv', {'text': 'text'}, 'label'),))\n"
        "lm = LanguageModel()\n"
        "study = Study('s', (EncoderSpec('b', 'bert', corpus=(Corpus('embedded'),), pretraining=lm),),\n"
        "    (Target('t', 'mine', ('sst2',), Recipe(), Recipe()),), tasks=(own,))\n"
    )
    study = config.load(path)
    task = tasks.get("mine", study.tasks)
    assert tasks.load_rows(task, "test", "en", tmp_path).labels.tolist() == [1, 0]
    assert config.content_id(task) == config.content_id(config.load(path).tasks[0])
