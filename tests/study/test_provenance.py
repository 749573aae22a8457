"""Provenance: what computed a folder is said; precision is agreed on, and a study that pins another one is refused."""

import json
import pathlib
import re
import subprocess

import pyarrow.parquet as pq
import pytest

import itt_jax
from itt_jax.errors import InputError
from itt_jax.models import make_encoder
from itt_jax.report import provenance as reported
from itt_jax.store import Store
from itt_jax.study.precision import agreed_arithmetic, check_precision
from itt_jax.train import provenance
from itt_jax.train.precision import BFLOAT16


@pytest.fixture
def store(tmp_path):
    """A folder with a stage that was trained in float32, and an encoder that is evaluated in bfloat16."""
    store = Store(tmp_path)
    store.write_record("s", {"id": "s", "encoder": "bert", "kind": "target", "precision": "float32"})
    assert agreed_arithmetic(store, "mbert", make_encoder("bert", layers=1), "bfloat16") == BFLOAT16
    return store


def test_a_later_worker_follows_the_first(store):
    assert agreed_arithmetic(store, "mbert", make_encoder("bert", layers=1), "auto") == BFLOAT16


def test_what_fits_is_not_refused(store):
    check_precision(store, "auto", ["bert", "mbert"], ["s"])
    check_precision(store, "float32", ["bert"], ["s", "missing"])
    check_precision(store, "bfloat16", ["bert", "mbert"], ["missing"])


@pytest.mark.parametrize(
    ("precision", "message"),
    [
        ("float32", "mbert is evaluated in bfloat16 there, found precision 'float32'; expected 'bfloat16', 'auto'"),
        ("bfloat16", r"stage s \(bert, target\) was trained in float32 there, found precision 'bfloat16'"),
    ],
)
def test_another_precision_is_refused_by_name(store, precision, message):
    with pytest.raises(InputError, match=message):
        check_precision(store, precision, ["bert", "mbert"], ["s"])


def test_the_report_states_it():
    done = [{"encoder": "bert", "precision": "float32"}, {"encoder": "xlnet", "precision": "bfloat16"}, {}]
    plan = {"precision": {"asked": "auto", "evaluation": {"bert": "bfloat16"}}, "stages_done": done}
    chosen = "bert: trained in float32, evaluated in bfloat16 (chosen for the machine)"
    assert reported.precision(plan) == [chosen]
    pinned = {"precision": {"asked": "float32", "evaluation": {"bert": "float32"}}}
    assert reported.precision(pinned) == ["bert: evaluated in float32 (as the study asks)"]
    assert reported.precision({}) == []


def test_the_report_names_the_machines_of_every_part_of_a_stage():
    row = {"device": "2 x a", "precision": "float32", "versions": {"jax": "1"}}
    before = {"steps": 5, "device": "1 x a", "versions": {"jax": "0"}}
    lines = ["device: 1 x a; precision: float32; versions: jax 0", "device: 2 x a; precision: float32; versions: jax 1"]
    assert reported.machines({"stages_done": [row | {"interrupted": [before]}, row, {"interrupted": None}]}) == lines


def test_code_is_named_by_its_files_and_by_the_commit_that_they_differ_from(tmp_path):
    def git(*arguments):
        own = ["-c", "user.name=x", "-c", "user.email=x", "-c", "commit.gpgsign=false"]
        command = ["git", "-C", str(tmp_path), *own, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def named():
        provenance.code.cache_clear(), provenance.code_digest.cache_clear()
        return provenance.code(package)

    package = tmp_path / "package"
    (package / "tables").mkdir(parents=True)
    (package / "a.py").write_text("a = 1\n")
    (package / "tables" / "t.tsv").write_text("x\n")
    installed = named()
    assert re.fullmatch("[0-9a-f]{12}", installed)
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "first")
    commit = git("rev-parse", "--short=12", "HEAD")
    assert named() == f"{installed} (commit {commit})"
    (tmp_path / "README.md").write_text("beside the package")
    assert named() == f"{installed} (commit {commit})"
    for name in ("a.py", "new.py"):
        (package / name).write_text("a = 2\n")
        found = named()
        assert found.endswith(f" (commit {commit}, with changes)") and not found.startswith(installed)
        git("stash", "-qu")


def test_cells_say_where_and_with_what_code_they_were_computed(tmp_path):
    store, made_with = Store(tmp_path), provenance.provenance(BFLOAT16)
    store.cells.write([({"cell": "a"}, {"item_id": ["x"]})], made_with)
    found = pq.read_metadata(store.cells.file("a")).metadata
    assert json.loads(found[b"provenance"]) == made_with and made_with["precision"] == "bfloat16"
    assert made_with["versions"]["code"].startswith(provenance.code_digest(pathlib.Path(itt_jax.__file__).parent))
