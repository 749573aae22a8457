"""Reading texts of attacks on other models."""

import pytest

from itt_jax.store import Store
from itt_jax.study import transfer
from itt_jax.study.cells import Cell


def cell(name):
    return Cell(**dict.fromkeys(Cell.__dataclass_fields__, "") | {"cell": name, "stage": name})


def read(monkeypatch, folder, reader, there, outcomes, lost=False):
    """The transfers that reading on one of the models a, b, c writes. `there`: cells; `outcomes`: finished attacks."""
    own = transfer.Transfer("t", cell(reader), tuple(map(cell, "abc")), None)
    written, asked, store = [], [], Store(folder)
    monkeypatch.setattr(transfer, "missing_transfers", lambda plan, store: [own])
    monkeypatch.setattr(
        transfer, "read_outcomes", lambda store, stage, attacked: [stage] if stage in outcomes else None
    )
    monkeypatch.setattr(
        transfer,
        "_rows",
        lambda own, model, found, tell: [(c.stage, f[0]) for c, f in zip(own.sources, found, strict=True)],
    )
    monkeypatch.setattr(Store, "has_cell", lambda self, name: name in there)
    monkeypatch.setattr(Store, "is_lost", lambda self, name: asked.append(name) or lost)
    monkeypatch.setattr(Store, "write_transfer", lambda self, name, rows: written.append((name, rows)))
    transfer.read_on(None, store, reader, None, None)
    assert asked in ([], [f"transfer-{reader}"])
    return written


@pytest.mark.parametrize("lost", [False, True])
def test_nothing_is_written_once_the_work_is_lost(monkeypatch, tmp_path, lost):
    found = read(monkeypatch, tmp_path, "a", "abc", "abc", lost)
    assert found == [("t", [("a", "a"), ("b", "b"), ("c", "c")])] * (not lost)


def test_a_model_whose_outputs_are_not_finite_takes_its_own_texts_alone(monkeypatch, tmp_path):
    assert read(monkeypatch, tmp_path, "a", "ac", "ac") == [("t", [("a", "a"), ("c", "c")])]
    assert read(monkeypatch, tmp_path, "b", "ac", "ac") == []  # it reads nothing itself
    assert read(monkeypatch, tmp_path, "a", "abc", "ac") == []  # another worker's texts have not come yet
