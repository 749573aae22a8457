"""Shared folders: where one may be, what it must be able to do, and how what it lacks is said."""

import errno
import os

import pytest

from itt_jax.errors import InputError, SharingError
from itt_jax.store import Store
from itt_jax.store.shared_folders import Bucket, LocalFolder, check_apart, shared_folder


@pytest.mark.parametrize("kind", ["path", "file", "memory"])
def test_a_shared_folder_creates_once_and_lists(tmp_path, kind):
    url = {"path": str(tmp_path / "x"), "file": f"file://{tmp_path}/x", "memory": f"memory://{tmp_path}"}[kind]
    folder = shared_folder(url)
    assert isinstance(folder, Bucket if kind == "memory" else LocalFolder)
    assert folder.read("a/b") is None and folder.names("a") == []
    assert folder.create("a/b", b"first") and not folder.create("a/b", b"second")
    assert folder.create("a/b", b"first")  # asked twice, because the answer was lost
    folder.write("a/c", b"old")
    folder.write("a/c", b"new")
    assert (folder.read("a/b"), folder.read("a/c")) == (b"first", b"new")
    assert (folder.tail("a/c", 2), folder.tail("a/c", 9), folder.tail("a/d", 2)) == (b"ew", b"new", None)
    assert folder.names("a") == ["a/b", "a/c"] and {"a/b", "a/c"} < set(folder.names())


@pytest.mark.parametrize(
    "url, expected",
    [
        ("", "expected a URL or a path"),
        ("nothing://x/y", "nothing"),
        ("/proc/itt_jax", "/proc/itt_jax"),
        ("file:///dev/null/x", "Not a directory"),
    ],
)
def test_a_shared_folder_that_cannot_be_used_is_refused_in_one_line(url, expected):
    with pytest.raises(InputError, match=expected) as error:
        shared_folder(url)
    assert str(error.value).startswith("--share") and "\n" not in str(error.value)


def test_a_shared_folder_in_which_two_can_create_one_file_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(LocalFolder, "create", lambda self, name, content: self.write(name, content) or True)
    with pytest.raises(InputError, match="two writers can create the same file"):
        shared_folder(str(tmp_path / "x"))


def test_a_results_folder_is_no_shared_one_and_is_left_as_it_is(tmp_path):
    Store(tmp_path / "runs").write_plan({"study_id": "x", "name": "x"})
    with pytest.raises(InputError, match="a results folder"):
        shared_folder(str(tmp_path / "runs"))
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["plan.json"]


@pytest.mark.parametrize("url", ["runs", "runs/../runs/shared", "file://{}/runs", "{}"])
def test_a_shared_folder_in_a_results_folder_or_around_it_is_refused(monkeypatch, tmp_path, url):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"--share .*expected a folder beside it"):
        check_apart(url.format(tmp_path), tmp_path / "runs")
    for fine in ("shared", "runs2", "gs://bucket/x"):
        check_apart(fine, tmp_path / "runs")


def test_a_folder_without_hard_links_is_refused_and_replaces_nothing(monkeypatch, tmp_path):
    folder = shared_folder(str(tmp_path / "x"))

    def no_links(*arguments):
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(os, "link", no_links)
    with pytest.raises(SharingError, match="not supported"):
        folder.create("a", b"a")
    with pytest.raises(InputError, match="makes no hard links"):
        shared_folder(str(tmp_path / "x"))
    assert sorted(path.name for path in (tmp_path / "x").iterdir()) == ["shared_folder"]


@pytest.mark.parametrize("protocol, extra", [("s3", "s3"), ("gs", "gcs")])
def test_a_client_that_is_not_installed_is_named(monkeypatch, protocol, extra):
    import fsspec

    def missing(*arguments, **options):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    with pytest.raises(InputError, match=rf"pip install 'itt_jax\[{extra}\]'"):
        shared_folder(f"{protocol}://bucket/x")
