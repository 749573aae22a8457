"""Cells on disk: whole blocks, whose every byte is checked, and an index that follows from them."""

import errno
import json
import pathlib

import numpy as np
import pyarrow.parquet as pq
import pytest

from itt_jax.errors import InputError
from itt_jax.store import Store
from itt_jax.store.results import read_cells

ITEMS = {"item_id": [f"t/test/{i}" for i in range(6)], "changed": np.zeros(6, bool), "applicable": np.ones(6, bool)}
COLUMNS = ("prediction", "label")


def cell(name, shift=0):
    columns = {"prediction": np.arange(6) + shift, "scores": list(np.eye(6, dtype="f4")), "label": np.ones(6, np.int32)}
    return {"cell": name, "value": shift / 2}, ITEMS | columns


def blocks(out):
    return sorted((out / "cells").glob("*.parquet"))


@pytest.fixture
def out(tmp_path):
    """Two blocks, of two cells and of one."""
    store = Store(tmp_path)
    store.cells.write([cell("a"), cell("b", 1)])
    store.cells.write([cell("c", 2)])
    store.write_results([{"cell": name} for name in "abc"])
    return tmp_path


def test_cells_are_read_as_they_were_written(out):
    assert len(blocks(out)) == 2
    found = Store(out).read_cell("b")
    assert list(found) == ["item_id", "changed", "applicable", *COLUMNS[:1], "scores", "label"]
    assert found["prediction"].tolist() == [1, 2, 3, 4, 5, 6] and found["prediction"].dtype == np.int64
    assert np.stack(found["scores"]).tolist() == np.eye(6).tolist() and found["scores"][0].dtype == np.float32
    both = read_cells(out, {"c": COLUMNS, "b": COLUMNS})
    assert list(both) == ["c", "b"] and both["c"].values["prediction"].tolist() == [2, 3, 4, 5, 6, 7]
    assert both["b"].items is both["c"].items
    assert list(Store(out).cells.rows([{"cell": "c"}, {"cell": "x"}, {"cell": "a", "value": 9}])) == [
        {"cell": "c", "value": 1.0},
        {"cell": "a", "value": 9},
    ]


def test_cells_that_are_there_stay(out):
    before = [path.name for path in blocks(out)]
    Store(out).cells.write([cell("a", 5), cell("c", 5)])
    assert [path.name for path in blocks(out)] == before
    Store(out).cells.write([cell("a", 5), cell("d", 5)])
    assert len(blocks(out)) == 3 and Store(out).read_cell("a")["prediction"][0] == 0


@pytest.mark.parametrize("keep", ["index", "no index", "damaged index"])
def test_the_index_is_made_again_from_the_blocks(out, keep):
    index = out / "cells" / "index.json"
    whole = index.read_text()
    assert sorted(name for own in json.loads(whole.split("\n")[1]).values() for name in own) == ["a", "b", "c"]
    if keep == "no index":
        index.unlink()
    elif keep == "damaged index":
        index.write_text(whole.replace('"a"', '"x"'))
    store = Store(out)
    assert set(store.cells.ids()) == {"a", "b", "c"}
    store.cells.save_index()
    assert index.read_text() == whole


def test_what_another_worker_writes_is_seen_after_a_claim(out):
    store = Store(out)
    assert not store.has_cell("d")
    Store(out).cells.write([cell("d")])
    with store.claim("stage"):
        assert store.has_cell("d")
    Store(out).cells.file("d").unlink()
    with store.claim("stage"):
        assert not store.has_cell("d") and store.has_cell("a")


@pytest.mark.parametrize("with_index", [True, False])
def test_every_flipped_bit_and_every_cut_is_found_and_made_again(out, with_index):
    """In pages, metadata and footer alike."""
    path = Store(out).cells.file("b")
    whole, random = path.read_bytes(), np.random.default_rng(0)
    if not with_index:
        (out / "cells" / "index.json").unlink()
    places = random.integers(0, len(whole), 40)
    for damaged in [b"", whole[:60], whole[:-1], whole + b"x", *(_flipped(whole, at) for at in places)]:
        path.write_bytes(damaged)
        for read in (
            lambda: Store(out).read_cell("a"),
            lambda: read_cells(out, {"a": COLUMNS}),
            lambda: Store(out).write_results([{"cell": "a"}]),
        ):
            with pytest.raises(InputError, match=rf"^{path}: damaged: [^\n]*$"):
                read()
        store = Store(out)
        store.check()
        assert not store.has_cell("a") and not store.has_cell("b") and store.has_cell("c")
        (line,) = store.set_aside()
        assert line.startswith(f"{path}: damaged; it is set aside ({out / 'damaged' / path.name})")
        assert not store.has_cell("a") and store.set_aside() == [] and not path.exists()
        store.cells.write([cell("a"), cell("b", 1)])
        assert path.read_bytes() == whole and store.has_cell("b")


def _flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :]


def test_a_block_that_another_worker_has_made_again_stays(out):
    path = Store(out).cells.file("b")
    whole, (slow, fast) = path.read_bytes(), (Store(out), Store(out))
    path.write_bytes(whole[:-1])
    slow.check()
    fast.check()
    assert len(fast.set_aside()) == 1
    assert slow.cells.blocks.damaged and not slow.has_cell("b")
    fast.cells.write([cell("a"), cell("b", 1)])
    assert slow.set_aside() == [] and path.read_bytes() == whole and slow.has_cell("b")
    path.write_bytes(whole[:-1])
    for store in (slow := Store(out), fast := Store(out)):
        store.check()
    assert len(fast.set_aside()) == 1 and slow.set_aside() == [] and not slow.has_cell("b")


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EMFILE, errno.EACCES])
def test_a_block_that_cannot_be_read_now_is_not_damaged(out, monkeypatch, number):
    path, read = Store(out).cells.file("b"), pathlib.Path.read_bytes

    def failing(own):
        if own == path:
            raise OSError(number, "fails", str(own))
        return read(own)

    store, other = Store(out), Store(out)
    monkeypatch.setattr(pathlib.Path, "read_bytes", failing)
    for asked in (store.check, lambda: store.read_cell("b")):
        with pytest.raises(InputError, match=rf"^{path}: cannot be read \(fails\)$"):
            asked()
    assert not store.cells.blocks.damaged
    other.cells.blocks.damaged[path.name] = "as was found before"
    with pytest.raises(InputError, match="cannot be read"):
        other.set_aside()
    assert path.exists()


def test_content_that_fits_its_checksum_but_is_not_parquet_is_damage(out):
    path = out / "cells" / "0123-e3b0c44298fc1c14.parquet"
    path.write_bytes(b"")
    store = Store(out)
    store.check()
    assert list(store.cells.blocks.damaged) == [path.name] and len(store.set_aside()) == 1 and not path.exists()


def test_every_process_takes_the_same_of_two_blocks_with_a_cell(out):
    """Whether it saw them one after the other or both at once."""
    of_cell = [Store(out).cells.file("c")]
    about = {"format": 1, "examples": [6], "rows": [{"cell": "c"}]}
    table = pq.read_table(of_cell[0])
    for key in ("9", "zz", "1"):
        follows = Store(out)
        assert follows.has_cell("c")
        of_cell.append(out / "cells" / follows.cells.blocks.write(key, table, {"cells": json.dumps(about)}))
        follows.cells.forget()
        assert follows.cells.file("c") == Store(out).cells.file("c") == min(of_cell)


def test_a_block_with_the_name_of_another_is_damaged(out):
    """Its checksum is right, and its cells are those of another key."""
    path = Store(out).cells.file("b")
    renamed = path.with_name("0" * 16 + path.name[16:])
    path.rename(renamed)
    with pytest.raises(InputError, match=rf"^{renamed}: renamed: it has the content of '{path.name[:16]}'$"):
        Store(out).read_cell("b")
    store = Store(out)
    store.check()
    (line,) = store.set_aside()
    assert line.startswith(f"{renamed}: damaged; it is set aside") and not store.has_cell("b") and store.has_cell("c")


def test_pages_have_checksums_for_other_readers(out):
    path = Store(out).cells.file("b")
    whole, about = path.read_bytes(), pq.read_metadata(path).row_group(0).column(0)
    path.write_bytes(_flipped(whole, about.data_page_offset + about.total_compressed_size - 10))
    with pytest.raises(OSError, match="CRC"):
        pq.read_table(path, page_checksum_verification=True)


def test_files_of_earlier_and_later_versions_are_refused_by_name(out):
    old = out / "cells" / "0123456789abcdef.parquet"
    old.write_bytes(blocks(out)[0].read_bytes())
    with pytest.raises(InputError, match=rf"^{old}: named as earlier versions named their files[^\n]*choose another"):
        Store(out).has_cell("a")
    old.unlink()
    store = Store(out)
    name = store.cells.blocks.write("later", pq.read_table(blocks(out)[0]), {"cells": json.dumps({"format": 9})})
    with pytest.raises(InputError, match=rf"{name}: a block of format 9, expected 1"):
        Store(out).has_cell("z")


def test_transfers_are_checked_alike(tmp_path):
    store = Store(tmp_path)
    store.write_transfer("t", [{"score": 0.5, "transferred": None}])
    assert set(store.transfer_ids()) == {"t"} and store.transfers(["t", "u"])["score"].tolist() == [0.5]
    (path,) = (tmp_path / "transfer").iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match=rf"^{path}: damaged"):
        Store(tmp_path).transfers(["t"])
    store = Store(tmp_path)
    store.check()
    assert not store.transfer_ids() and len(store.set_aside()) == 1
