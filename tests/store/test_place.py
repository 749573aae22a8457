"""Results folders that cannot be written to are refused before any work."""

import os
import shutil

import pytest

from itt_jax.errors import InputError
from itt_jax.store.place import check_place, size


def test_a_new_folder_and_an_existing_one_can_be_written_to(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check_place(tmp_path)
    check_place(tmp_path / "new" / "folder", needed=1)
    check_place(type(tmp_path)("new"))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("below", ["", "out", "deep/out"])
def test_a_file_is_refused(tmp_path, below):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file is a file, expected a folder"):
        check_place(tmp_path / "file" / below)


def test_a_name_that_is_not_utf8_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"--out .*: its name is not UTF-8, rename it"):
        check_place(tmp_path / os.fsdecode(b"\xff\xfe"))


@pytest.mark.parametrize("out", ["x" * 256, "ä" * 128, "missing/" + "x" * 300, "missing/" * 480 + "x"])
def test_a_name_that_is_too_long_is_refused(tmp_path, out):
    with pytest.raises(InputError, match=r"--out .* \.\.\.: a (name|path) of \d+ bytes, expected at most \d+"):
        check_place(tmp_path / out)
    check_place(tmp_path / ("x" * 255))


def test_a_dangling_link_is_refused(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"link is a file, expected a folder"):
        check_place(tmp_path / "link" / "out")


def test_a_read_only_folder_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)  # the superuser may write everywhere
    with pytest.raises(InputError, match="is read-only, expected a folder that can be written to"):
        check_place(tmp_path / "out")


def test_a_small_disk_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**12, 10**12 - 10**6, 10**6))
    check_place(tmp_path, needed=10**6)
    with pytest.raises(InputError, match=r"has 1 MB free, expected 2\.5 GB"):
        check_place(tmp_path, needed=2.5e9)


def test_sizes_are_readable():
    assert [size(n) for n in (0, 999, 81_200_000, 2.5e9, 3e12)] == ["0 B", "999 B", "81.2 MB", "2.5 GB", "3.0 TB"]
