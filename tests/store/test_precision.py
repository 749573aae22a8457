"""Every worker on a results folder evaluates a model in one dtype."""

import errno
import os

import pytest

from itt_jax.store import Store


def test_the_first_worker_chooses(tmp_path):
    store = Store(tmp_path)
    assert store.agreed.precision("a/b", lambda: "bfloat16") == "bfloat16"
    assert store.agreed.precision("a/b", lambda: "float32") == "bfloat16"
    assert store.agreed.precision("other", lambda: "float32") == "float32"
    assert sorted(os.listdir(tmp_path / "precision")) == ["a%2Fb", "other"]
    assert store.agreed.precisions(["a/b", "third"]) == {"a/b": "bfloat16"}


@pytest.mark.parametrize("links", [True, False])
def test_two_first_workers_read_the_same_answer(tmp_path, monkeypatch, links):
    """The other writes between our look and our link; without links the later one's choice stays, and it reads that."""
    path = tmp_path / "precision" / "bert"

    def meanwhile(proposal, target):
        path.write_text("bfloat16")
        raise FileExistsError if links else OSError(errno.ENOTSUP, "no links")

    monkeypatch.setattr(os, "link", meanwhile)
    assert Store(tmp_path).agreed.precision("bert", lambda: "float32") == ("bfloat16" if links else "float32")
    assert os.listdir(tmp_path / "precision") == ["bert"]
