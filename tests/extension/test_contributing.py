"""CONTRIBUTING.md shows the toys: each definition is a file of this folder, and each use runs."""

import pathlib
import re

import pytest

HERE = pathlib.Path(__file__).parent
PAGE = HERE.parents[1] / "CONTRIBUTING.md"
FILES = {
    "operator": ("toy_operator.py",),
    "family": ("electra.py", "toy_model.py"),
    "head": ("toy_head.py",),
    "kind": ("toy_kind.py",),
    "metric": ("toy_metric.py",),
    "attack": ("toy_attack.py",),
    "arm": ("toy_arm.py",),
    "objective": ("toy_objective.py",),
    "source": ("toy_source.py",),
}


def blocks(axis: str) -> list[str]:
    """The Python blocks of the section on an axis."""
    section = PAGE.read_text(encoding="utf-8").split(f"<!-- example: {axis} -->")[1].split("\n## ")[0]
    return re.findall(r"^```python\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


def test_every_axis_has_an_example():
    assert re.findall("<!-- example: (.*) -->", PAGE.read_text(encoding="utf-8")) == list(FILES)


@pytest.mark.parametrize("axis", FILES)
def test_the_example_is_the_toy_and_its_use_runs(axis, toys, tmp_path):
    (tmp_path / "en.txt").write_text("Practice makes perfect. [good]\nHaste makes waste. [bad]\n", encoding="utf-8")
    shown, names = blocks(axis), FILES[axis]
    space = {"DATA": tmp_path, "__name__": f"{__package__}.{axis}"}
    for name, block in zip(names, shown, strict=False):
        assert block == (HERE / name).read_text(encoding="utf-8")
    assert len(shown) > len(names), "the section shows no use"
    for block in shown:
        exec(compile(block, f"CONTRIBUTING.md, {axis}", "exec"), space)
