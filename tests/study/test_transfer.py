"""Reading texts of attacks on other models."""

import types

import pytest

from itt_jax.study import transfer


@pytest.mark.parametrize("lost", [False, True])
def test_nothing_is_written_once_the_work_is_lost(monkeypatch, lost):
    own = types.SimpleNamespace(id="t", reader=types.SimpleNamespace(stage="s"), sources=(), attacked=None)
    monkeypatch.setattr(transfer, "missing_transfers", lambda plan, store: [own])
    monkeypatch.setattr(transfer, "_rows", lambda *given: [{"score": 1.0}])
    written, asked = [], []
    store = types.SimpleNamespace(
        is_lost=lambda name: asked.append(name) or lost, write_transfer=lambda *given: written.append(given)
    )
    transfer.read_on(None, store, "s", None, None)
    assert asked == ["transfer-s"] and written == [("t", [{"score": 1.0}])] * (not lost)
