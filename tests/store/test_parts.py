"""Parts of work are written while it is ours, and checked when they are read."""

import dataclasses

import pytest

from itt_jax import files
from itt_jax.errors import InputError
from itt_jax.store.parts import PartsFolder


@dataclasses.dataclass(frozen=True)
class Row:
    text: str


def test_nothing_is_written_once_the_work_is_lost(tmp_path):
    held = iter((True, False, False))
    folder = PartsFolder(tmp_path / "attack", "attack", writes=lambda: next(held))
    made = folder.made("en", "abcdef", 2, lambda first, part: [Row(text) for text in part])
    assert [row["text"] for row in made] == list("abcdef")
    assert folder.part("en", 0) == [{"text": "a"}, {"text": "b"}]
    assert folder.part("en", 1) is None and folder.part("en", 2) is None


def test_a_folder_whose_worker_was_killed_before_the_request_was_written_can_be_begun(tmp_path):
    folder = PartsFolder(tmp_path, "attack")
    partial = files.temporary(tmp_path / "attack.json")
    partial.write_text('{"att')
    assert folder.existing() is None
    partial.rename(tmp_path / "notes.json")
    with pytest.raises(InputError, match="holds files, but no attack"):
        folder.existing()


def test_a_damaged_part_is_made_again_and_one_of_an_earlier_version_is_read(tmp_path, caplog):
    folder, made = PartsFolder(tmp_path / "attack", "attack"), []

    def make(first, part):
        made.append(first)
        return [Row(text) for text in part]

    def texts():
        return "".join(row["text"] for row in folder.made("en", "abcd", 2, make))

    assert texts() == "abcd" == texts() and made == [0, 2]
    first, second = (tmp_path / "attack" / "rows" / f"en-000{number}.jsonl" for number in (0, 1))
    second.write_text(second.read_text().replace('"c"', '"x"'))
    with pytest.raises(InputError, match=f"^{second}: damaged: its rows do not match its checksum"):
        folder.part("en", 1)
    first.write_text("".join(first.read_text().splitlines(keepends=True)[:-1]))  # without its checksum
    assert texts() == "abcd" == texts() and made == [0, 2, 2]
    assert caplog.messages == [f"{second}: damaged: its rows do not match its checksum; it is made again"]
