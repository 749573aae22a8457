"""Which tasks are under a data root: counts equal the rows that are loaded."""

import dataclasses
import json

import pytest

from itt_jax import main, tasks
from itt_jax.data.sources import LocalFiles
from itt_jax.tasks.load import count_rows
from itt_jax.tasks.presence import presence
from tests.data.sources.own_task import own_task

TABLE = "doc,text,label\n" + "".join(f"d{i // 3},text {i},{('good', 'bad', '?')[i % 3]}\n" for i in range(30))
SLICES = {"train": "all[:70%]", "dev": "all[70%:]"}
LABELS = {"good": "good", "bad": "bad"}


def _source(tmp_path, **settings) -> LocalFiles:
    (tmp_path / "all.csv").write_text(TABLE)
    defaults = {"columns": {"text": "text"}, "label": "label", "labels": {**LABELS, "?": None}, "slices": SLICES}
    return LocalFiles({"all": "all.csv", "test": "test.csv"}, "csv", **(defaults | settings))


@pytest.mark.parametrize("split", ["all", "train", "dev", "dev[:50%]"])
@pytest.mark.parametrize(
    "settings",
    [{}, {"labels": {**LABELS, "?": "bad"}}, {"labels": {**LABELS, "?": "bad"}, "document": "doc"}],
)
def test_counts_equal_the_rows_that_are_loaded(tmp_path, split, settings):
    task = own_task(_source(tmp_path, **settings), documents="document" in settings)
    assert count_rows(task, split, "en", tmp_path) == len(tasks.load_rows(task, split, "en", tmp_path))


def test_parquet_is_counted_by_its_footer(tmp_path):
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.table({"text": ["a"] * 7, "label": ["good"] * 7})
    pyarrow.parquet.write_table(table, tmp_path / "rows.parquet")
    task = own_task(LocalFiles({"test": "rows.parquet"}, "parquet", {"text": "text"}, "label"))
    assert presence(task, tmp_path).rows == {"test": {"en": 7}}


def test_absent_files_have_no_entry_and_malformed_ones_an_error(tmp_path):
    task = own_task(_source(tmp_path))
    found = presence(task, tmp_path)
    assert found.rows == {"all": {"en": 20}, "train": {"en": 13}, "dev": {"en": 7}} and not found.errors
    (tmp_path / "test.csv").write_text('text,label\n"open,good\n')
    broken = presence(task, tmp_path)
    assert broken.rows == found.rows
    assert len(broken.errors) == 1 and "test.csv, line 2: unexpected end of data" in broken.errors[0]
    hub = dataclasses.replace(task, sources=tuple(s for s in tasks.get("xnli").sources if not s.local))
    assert not presence(hub, tmp_path).rows


def test_list_tasks_of_a_data_root(tmp_path, capsys):
    folder = tmp_path / "crosslingual" / "udpos"
    folder.mkdir(parents=True)
    (folder / "dev-de.tsv").write_text("Das\tPRON\n\nHaus\tNOUN\n")
    assert main.main(["list", "tasks", "--data-root", str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == [{"name": "udpos", "kind": "token_classification", "rows": {"dev": {"de": 2}}, "errors": []}]
    assert main.main(["list", "tasks", "--data-root", str(tmp_path)]) == 0
    assert capsys.readouterr().out.split() == ["udpos", "dev", "2", "de"]
    for arguments, message in (
        (["list", "kinds", "--data-root", str(tmp_path)], "--data-root goes with list tasks, not with list kinds"),
        (["list", "tasks", "--data-root", str(folder)], "no file of any task in the catalogue is there"),
    ):
        assert main.main(arguments) == 2
        assert message in capsys.readouterr().err
