"""Malformed command lines: exit 2 with one line, nothing raised and nothing written."""

import contextlib
import io
import os
import pathlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from itt_jax import main

TEXT = st.one_of(
    st.sampled_from(
        ["", "-1", "nan", "1e999", "0x", "--", "-", "{language}", "[", "None", "True", "a" * 300, "../..", "\x00"]
    ),
    st.text(max_size=12),
)
PATHS = st.sampled_from(["missing", "missing/x", "file", "file/below", "x" * 300, "binary", "empty", "folder"])
VALUE = st.one_of(TEXT, PATHS)
FIELDS = st.sampled_from(
    "seeds encoders encoders.0 encoders.bert.layers encoders.9.width targets.0.recipe.steps name targets.x arms "
    "perturbations.0.severities max_length noise_seed tasks ... a.b seeds.0".split()
)
SETTING = st.one_of(st.builds("{}={}".format, FIELDS, TEXT), TEXT)
OPTIONS = {
    "run": ["--config", "--set", "--out", "--data-root", "--stack"],
    "plan": ["--config", "--set", "--out", "--data-root"],
    "report": ["--out", "--contrast", "--language", "--format"],
    "evaluate": [
        "--checkpoint",
        "--task",
        "--perturbations",
        "--languages",
        "--split",
        "--rows",
        "--max-length",
        "--out",
    ],
    "perturb": ["--name", "--severity", "--language", "--seed", "--in", "--out", "--lexicon", "--task", "--read-sheet"],
    "convert": [],
    "export": ["--out", "--arm", "--seed"],
    "score": ["--benchmark", "--predictions", "--labels", "--store", "--write", "--languages"],
    "list": ["--data-root"],
    "bench": ["--checkpoint"],
}


@st.composite
def command_lines(draw) -> list[str]:
    """A command with options of its own, or unknown ones, and values that do not fit."""
    command = draw(st.sampled_from(sorted(OPTIONS)))
    # what is fuzzed is the input: commands begin with something that is wrong
    wrong = {
        "run": ["--config", draw(PATHS)],
        "plan": ["--config", draw(PATHS)],
        "report": ["--out", draw(PATHS)],
        "evaluate": ["--checkpoint", draw(PATHS), "--task", draw(TEXT)],
        "perturb": ["--name", draw(TEXT), "--severity", draw(TEXT)],
        "convert": [draw(PATHS), draw(PATHS)],
        "export": [draw(PATHS), draw(PATHS)],
        "score": ["--benchmark", draw(TEXT)],
        "list": [draw(TEXT)],
        "bench": [draw(TEXT)],
    }[command]
    rest = []
    for option in draw(st.lists(st.sampled_from([*OPTIONS[command], "--unknown", "-x"]), max_size=4)):
        rest += [option, draw(SETTING if option == "--set" else VALUE)]
    return [command, *wrong, *rest]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with files that are no input of ours, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("text\n")
    (tmp_path / "binary").write_bytes(b"\xff\x00\xfe" * 9)
    (tmp_path / "empty").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "config.json").write_text("{}")
    return tmp_path


def refused(place: pathlib.Path, arguments: list[str]) -> None:
    """Run a wrong command line: 2 and one line, and the folder as it was."""
    before = sorted(os.walk(place))
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main.main(arguments)
    assert code == 2, (arguments, code, out.getvalue())
    said = err.getvalue()
    assert said.startswith("error: ") and said.count("\n") == 1 and len(said) < 3000, (arguments, said)
    assert "Traceback" not in said and sorted(os.walk(place)) == before, arguments


def usual(arguments: list[str]) -> bool:
    """Lines that are right after all: help, and lists that exist."""
    return not {"-h", "--help"} & set(arguments)


SETTINGS = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}


@settings(max_examples=40, derandomize=True, **SETTINGS)
@given(arguments=command_lines().filter(usual))
def test_a_malformed_command_line_is_one_line(place, arguments):
    refused(place, arguments)


@pytest.mark.parametrize("command", ["run", "plan", "config", "evaluate"])
def test_an_empty_config_is_not_the_default(place, command):
    refused(place, [command, "--config", ""])


@pytest.mark.slow
@pytest.mark.volume
@settings(max_examples=1000, **SETTINGS)
@given(arguments=command_lines().filter(usual))
def test_many_malformed_command_lines_are_one_line_each(place, arguments):
    refused(place, arguments)


@pytest.mark.slow
@pytest.mark.volume
@settings(max_examples=300, **SETTINGS)
@given(setting=st.builds("{}={}".format, FIELDS, TEXT))
def test_overrides_of_the_quickstart_fit_or_are_one_line(place, setting):
    """`config` reads the study and stops; what it takes has the right type."""
    err = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(err):
        code = main.main(["config", "--set", setting])
    assert code in (0, 2) and (code == 0 or err.getvalue().count("\n") == 1), setting
