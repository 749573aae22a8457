"""Parts of work are written while it is ours."""

import dataclasses

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
