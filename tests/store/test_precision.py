"""Every worker on a store evaluates an encoder in one dtype."""

import os

import jax.numpy as jnp
import pytest

from itt_jax.store import precision
from itt_jax.store.folder import Store
from itt_jax.store.precision import agreed_dtype


@pytest.fixture
def machines(monkeypatch):
    """Machines that would choose as asked: machines("bfloat16")."""
    return lambda dtype: monkeypatch.setattr(precision, "evaluation_dtype", lambda encoder: getattr(jnp, dtype))


def test_the_first_worker_decides(tmp_path, machines):
    store = Store(tmp_path)
    machines("bfloat16")
    assert agreed_dtype(store, "a/b", None) is jnp.bfloat16
    machines("float32")
    assert agreed_dtype(store, "a/b", None) is jnp.bfloat16
    assert agreed_dtype(store, "other", None) is jnp.float32
    assert sorted(os.listdir(tmp_path / "precision")) == ["a%2Fb", "other"]


@pytest.mark.parametrize("links", [True, False])
def test_of_two_first_workers_both_read_one_answer(tmp_path, machines, monkeypatch, links):
    """The other writes between our look and our link; without links the later one decides, and reads itself back."""
    store, machines_file = Store(tmp_path), tmp_path / "precision" / "bert"
    machines("float32")

    def meanwhile(proposal, path):
        machines_file.write_text("bfloat16")
        raise FileExistsError if links else OSError

    monkeypatch.setattr(os, "link", meanwhile)
    assert agreed_dtype(store, "bert", None) is (jnp.bfloat16 if links else jnp.float32)
    assert os.listdir(tmp_path / "precision") == ["bert"]


def test_cells_from_before_are_float32(tmp_path, machines):
    (tmp_path / "cells").mkdir()
    (tmp_path / "cells" / "x.parquet").touch()
    machines("bfloat16")
    assert agreed_dtype(Store(tmp_path), "bert", None) is jnp.float32
