"""The filter equals `perturb`, preserves line endings, and never leaves a partial file."""

import io
import sys

import pytest

from itt_jax.errors import InputError
from itt_jax.perturb import perturb
from itt_jax.perturb.filter import perturb_lines

LINES = ["The patient slept well.", "", "Die Ärztin kam\u2028spät.", "कल सुबह", "last"]


def test_files(tmp_path):
    source, out = tmp_path / "in.txt", tmp_path / "out.txt"
    source.write_bytes("\n".join(LINES).encode())
    perturb_lines(source, out, "swap", 0.5, "en", 3)
    assert out.read_bytes().decode().split("\n") == perturb(LINES, "swap", 0.5, "en", 3)
    source.write_bytes("".join(line + "\r\n" for line in LINES).encode())
    perturb_lines(source, out, "word_drop", 1.0, "en")
    assert out.read_bytes().decode() == "".join(line + "\r\n" for line in perturb(LINES, "word_drop", 1.0, "en"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.txt", "out.txt"]


def test_a_byte_order_mark_is_kept_and_is_no_text(tmp_path):
    source, out = tmp_path / "in.txt", tmp_path / "out.txt"
    source.write_bytes("\n".join(LINES).encode("utf-8-sig"))
    perturb_lines(source, out, "swap", 0.5, "en", 3)
    assert out.read_bytes().decode() == "\ufeff" + "\n".join(perturb(LINES, "swap", 0.5, "en", 3))


def test_pipes(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"one two\nthree\n")))
    written = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(sys, "stdout", written)
    perturb_lines(None, None, "delete", 0.4, "en")
    assert written.buffer.getvalue().decode() == "".join(
        f"{line}\n" for line in perturb(["one two", "three"], "delete", 0.4, "en")
    )


def test_links_stay_links(tmp_path):
    source, out, target = tmp_path / "in.txt", tmp_path / "link.txt", tmp_path / "target.txt"
    source.write_text("one\n")
    target.write_text("older")
    out.symlink_to(target)
    perturb_lines(source, out, "repeat", 1.0, "en")
    assert out.is_symlink()
    assert target.read_text() == "oonnee\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"fine\nbad \xff\n", "in.txt: line 2: byte 5 is not UTF-8"),
        (b"fine\nfine\n\xed\xa0\x80\n", "in.txt: line 3: byte 1 is not UTF-8"),
        (b"a\0\n", "in.txt: line 1: character 2 is NUL"),
        (b"one\rtwo\r", "in.txt: line 1: lines end in carriage returns"),
        ("one\n\ufefftwo\n".encode(), "in.txt: line 2: a byte order mark within the file"),
    ],
)
def test_bad_content_leaves_no_file(tmp_path, content, message):
    source, out = tmp_path / "in.txt", tmp_path / "out.txt"
    source.write_bytes(content)
    out.write_text("older")
    with pytest.raises(InputError, match=message):
        perturb_lines(source, out, "swap", 0.5, "en")
    assert out.read_text() == "older"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.txt", "out.txt"]


def test_bad_paths(tmp_path):
    with pytest.raises(InputError, match=r"none\.txt: No such file"):
        perturb_lines(tmp_path / "none.txt", None, "swap", 0.5, "en")
    (tmp_path / "in.txt").write_text("a")
    with pytest.raises(InputError, match=r"out\.txt: No such file"):
        perturb_lines(tmp_path / "in.txt", tmp_path / "nowhere" / "out.txt", "swap", 0.5, "en")
    with pytest.raises(InputError, match="Is a directory"):
        perturb_lines(tmp_path / "in.txt", tmp_path, "swap", 0.5, "en")
    with pytest.raises(InputError, match="unknown perturbation"):
        perturb_lines(tmp_path / "none.txt", None, "swp", 0.5, "en")
