"""Atomic files: the old version or the new one, nothing else, also under concurrent writers and without hard links."""

import errno
import json
import os
import pathlib
import shutil
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import pytest

from itt_jax import files
from itt_jax.errors import InputError

ALL = {
    "bytes": lambda path: files.write_bytes(path, b"\xff\r\n"),
    "text": lambda path: files.write_text(path, "ü\u2028\r\n"),
    "json": lambda path: files.write_json(path, {"a": "ü"}),
}
EXPECTED = {"bytes": b"\xff\r\n", "text": "ü\u2028\r\n".encode(), "json": '{\n "a": "ü"\n}\n'.encode()}


@pytest.mark.parametrize("form", ALL)
def test_a_file_is_written_exactly_and_replaced(tmp_path, form):
    path = tmp_path / "new" / "folder" / "file"
    for _ in range(2):
        ALL[form](path)
        assert path.read_bytes() == EXPECTED[form]
    assert os.listdir(path.parent) == ["file"]


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.json"
    files.write_json(path, {"a": 1})
    with pytest.raises(RuntimeError), files.new_file(path) as partial:
        partial.write_text("half")
        raise RuntimeError("killed")
    with pytest.raises(FileNotFoundError), files.new_file(path):
        pass  # nothing was written
    assert path.read_text() == '{\n "a": 1\n}\n'
    assert os.listdir(tmp_path) == ["a.json"]


def fill(folder, text):
    (folder / "inner").mkdir()
    (folder / "inner" / "file").write_text(text)
    (folder / "other").write_text(text)


def texts(folder):
    return {(folder / "inner" / "file").read_text(), (folder / "other").read_text()}


@pytest.mark.parametrize("keep_existing", [False, True])
def test_a_folder_is_replaced_or_kept(tmp_path, keep_existing):
    for text in ("old", "new"):
        with files.new_folder(tmp_path / "a" / "b", keep_existing) as folder:
            fill(folder, text)
    assert texts(tmp_path / "a" / "b") == {"old" if keep_existing else "new"}
    assert os.listdir(tmp_path / "a") == ["b"]


def test_a_failed_write_leaves_the_old_folder(tmp_path):
    with files.new_folder(tmp_path / "b") as folder:
        fill(folder, "old")
    with pytest.raises(RuntimeError), files.new_folder(tmp_path / "b") as folder:
        fill(folder, "new")
        raise RuntimeError("killed")
    assert texts(tmp_path / "b") == {"old"}
    assert os.listdir(tmp_path) == ["b"]


@pytest.mark.parametrize("keep_existing", [False, True])
def test_concurrent_writers_leave_one_whole_folder(tmp_path, keep_existing):
    together = threading.Barrier(4, timeout=30)

    def write(number):
        with files.new_folder(tmp_path / "b", keep_existing) as folder:
            fill(folder, str(number))
            together.wait()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, range(4)))
    assert len(texts(tmp_path / "b")) == 1
    assert os.listdir(tmp_path) == ["b"]


def test_a_folder_that_another_process_moves_away_meanwhile_is_replaced(tmp_path, monkeypatch):
    with files.new_folder(tmp_path / "b") as folder:
        fill(folder, "old")
    renamed = os.rename
    failures = []

    def rename(source, target):
        try:
            renamed(source, target)
        except OSError as error:
            failures.append(error.errno)
            if error.errno == errno.ENOTEMPTY:
                renamed(tmp_path / "b", tmp_path / "moved")
            raise

    monkeypatch.setattr(os, "rename", rename)
    with files.new_folder(tmp_path / "b") as folder:
        fill(folder, "new")
    assert failures == [errno.ENOTEMPTY, errno.ENOENT]
    assert texts(tmp_path / "b") == {"new"}


def test_a_file_is_not_replaced_by_a_folder(tmp_path):
    (tmp_path / "b").write_text("file")
    with pytest.raises(NotADirectoryError), files.new_folder(tmp_path / "b") as folder:
        fill(folder, "new")
    assert (tmp_path / "b").read_text() == "file"
    assert os.listdir(tmp_path) == ["b"]


@pytest.mark.parametrize("links", [True, False])
def test_the_first_to_create_a_file_decides(tmp_path, monkeypatch, links):
    if not links:

        def link(source, target):
            raise OSError(errno.EPERM, "Operation not permitted")  # as on a file system without hard links

        monkeypatch.setattr(os, "link", link)
    path = tmp_path / "new" / "file"
    assert files.create_text(path, "first")
    assert not files.create_text(path, "second")
    assert path.read_text() == "first"
    assert os.listdir(path.parent) == ["file"]


def test_an_error_of_the_disk_is_not_taken_for_a_disk_without_hard_links(tmp_path, monkeypatch):
    def link(source, target):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "link", link)
    with pytest.raises(OSError, match="Input/output"):
        files.create_text(tmp_path / "file", "first")
    assert not os.listdir(tmp_path)


def test_of_many_that_create_a_file_at_once_one_succeeds(tmp_path):
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda number: files.create_text(tmp_path / "file", str(number)), range(20)))
    assert sum(made) == 1
    assert (tmp_path / "file").read_text() == str(made.index(True))


def flip(path):
    path.write_bytes(bytes([path.read_bytes()[0] ^ 1]))


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda folder: (folder / "other").unlink(), "not a complete state: other is missing"),
        (lambda folder: flip(folder / "other"), "other: damaged: found 1 bytes that differ from the 1 written"),
        (lambda folder: (folder / "inner" / "file").write_text("longer"), "file: damaged: found 6 bytes"),
        (lambda folder: os.truncate(folder / "other", 1 << 36), "other: damaged: found 68719476736 bytes"),
        (lambda folder: (folder / files.MANIFEST).write_text("{"), "not a complete state: "),
        (lambda folder: os.truncate(folder / files.MANIFEST, 1 << 23), "found 8388608 bytes, expected at most 4194304"),
        (shutil.rmtree, "not a complete state: "),
    ],
)
def test_a_manifest_finds_damage(tmp_path, harm, message):
    with files.new_folder(tmp_path / "b") as folder:
        fill(folder, "x")
        files.write_manifest(folder)
    files.check_manifest(tmp_path / "b", "state")
    assert set(json.loads((tmp_path / "b" / files.MANIFEST).read_text())) == {"inner/file", "other"}
    harm(tmp_path / "b")
    with pytest.raises(InputError, match=message):
        files.check_manifest(tmp_path / "b", "state")


def test_only_listed_files_of_the_right_size_are_read(tmp_path, monkeypatch):
    read, checksum = [], files._checksum
    (tmp_path / "b").mkdir()
    fill(tmp_path / "b", "x")
    files.write_manifest(tmp_path / "b")
    monkeypatch.setattr(files, "_checksum", lambda path: read.append(path.name) or checksum(path))
    (tmp_path / "b" / "unlisted").write_text("x")
    files.check_manifest(tmp_path / "b", "state")
    assert sorted(read) == ["file", "other"]
    read.clear()
    os.truncate(tmp_path / "b" / "other", 1 << 36)
    with pytest.raises(InputError, match="other: damaged"):
        files.check_manifest(tmp_path / "b", "state")
    assert not read


def test_a_small_file_is_read_in_little_memory_and_whole_or_not_at_all(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"content")
    tracemalloc.start()
    try:
        assert files.read_bytes(tmp_path / "a") == b"content"
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    found = os.stat(tmp_path / "a")
    for size in (6, 8):
        fake = os.stat_result((*found[:6], size, *found[7:]))
        monkeypatch.setattr(os, "fstat", lambda descriptor, fake=fake: fake)
        with pytest.raises(InputError, match=f"a: its {size} bytes changed while they were read"):
            files.read_bytes(tmp_path / "a")


def test_where_nothing_can_be_made_is_named(tmp_path, monkeypatch):
    """/proc says that the folder to make is missing; a file that is missing elsewhere is no user's mistake."""

    def refuse(folder, *arguments, **options):
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(folder))

    monkeypatch.setattr(pathlib.Path, "mkdir", refuse)
    with pytest.raises(InputError, match="nothing: cannot be made there"):
        files.write_text(tmp_path / "nothing" / "x", "text")
    with pytest.raises(InputError, match="cannot be made there"), files.new_folder(tmp_path / "nothing"):
        pass
