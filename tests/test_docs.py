"""README and docs: links lead somewhere, examples run, and every command and benchmark is described."""

import dataclasses
import pathlib
import re
import runpy
import shlex

import pytest

from itt_jax import config, main
from itt_jax.analysis import analyse
from itt_jax.bench import BENCHES
from itt_jax.cli.list import LISTED
from itt_jax.report import columns, tables
from itt_jax.store.results import read_results
from itt_jax.study import quickstart
from itt_jax.study.cells import Cell
from itt_jax.tasks import Task
from tests.extension.toy_arm import DAPT_THEN_ITT
from tests.simulated_store import write_store

ROOT = pathlib.Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "tpu_scripts").glob("*.md")])
PYTHON = r"^```python\n(.*?)^```$"
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


def example(page: str, number: int = 0) -> str:
    """A Python block of a page."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(PYTHON, text, re.MULTILINE | re.DOTALL)[number]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    prose = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for link in LINK.findall(prose):
        assert link.startswith("https://") or (page.parent / link).exists(), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_anchors_are_headings(page):
    prose = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for other, anchor in re.findall(r"\[[^\]]*\]\((?!https:)([^)#\s]*)#([^)]*)\)", prose):
        text = ((page.parent / other) if other else page).read_text(encoding="utf-8")
        headings = [re.sub(r"[^\w\- ]", "", own.lower()) for own in re.findall(r"^#+ (.*)$", text, re.MULTILINE)]
        assert anchor in {own.replace(" ", "-") for own in headings}, (other, anchor)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_of_pages_can_be_parsed(page):
    text = re.sub(r"\\\n *", " ", page.read_text(encoding="utf-8"))
    for command in re.findall(
        r"^(?:    |\$ |.*\| )(?:python -m itt_jax\.main|itt-jax) ([a-z][^|\n]*)$", text, re.MULTILINE
    ):
        arguments = shlex.split(re.sub(r"[\[\]]", "", command), comments=True)
        if "..." not in arguments:
            main.parser().parse_args(arguments)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_blocks_of_pages_run(page):
    """Those that need no checkpoint and leave nothing out; tests/extension runs those of CONTRIBUTING.md."""
    space: dict = {}
    for block in re.findall(PYTHON, page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        code = compile(block, str(page), "exec")
        if page.name != "CONTRIBUTING.md" and "..." not in block and "path/to" not in block:
            exec(code, space)


def test_the_first_study_of_the_readme_is_valid(tmp_path):
    (tmp_path / "tweets.py").write_text(example("README.md"), encoding="utf-8")
    study = config.load(tmp_path / "tweets.py")
    assert study.name == "tweets" and len(study.targets) == 1


def test_the_task_of_the_docs_is_valid(tmp_path):
    (tmp_path / "reviews.py").write_text(example("docs/tasks.md"), encoding="utf-8")
    assert isinstance(runpy.run_path(str(tmp_path / "reviews.py"))["reviews"], Task)


def test_every_command_and_bench_is_described():
    commands = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    described = set(re.findall(r"`([a-z]+) (?:--|[A-Z\w])", commands))
    assert {module.__name__.rpartition(".")[2] for module in main.COMMANDS} <= described
    assert "bench " + r"\|".join(bench.name for bench in BENCHES) in commands
    assert "list " + r"\|".join(LISTED) in commands


def test_the_arm_of_contributing_is_valid_in_a_study():
    config.validate(dataclasses.replace(quickstart.study, arms=("direct", "itt", DAPT_THEN_ITT)))


def test_the_reference_is_that_of_the_code():
    """Run docs/make_reference.py where this fails; a field without a description is a KeyError."""
    made = runpy.run_path(str(ROOT / "docs/make_reference.py"))["page"]()
    assert (ROOT / "docs/reference.md").read_text(encoding="utf-8") == made


def test_tables_of_pages_are_those_of_their_results():
    """Run docs/make_results.py where this fails."""
    script = runpy.run_path(str(ROOT / "docs/make_results.py"))
    for page in script["PAGES"]:
        text = page.read_text(encoding="utf-8")
        assert script["MARKED"].search(text) and script["filled"](text) == text
        for found in script["MARKED"].finditer(text):
            table = text[found.end(1) : found.start(4)].strip()
            assert (ROOT / "results" / found[2]).is_dir() or table == "Not run at this size yet."


@pytest.mark.slow
def test_every_column_of_results_and_tables_is_described(tmp_path):
    found = analyse(write_store(tmp_path, items=10))
    cell = {field.name for field in dataclasses.fields(Cell)} - {"stage"}
    assert cell | set(read_results(tmp_path)) <= set(columns.RESULTS)
    assert set(tables.tidy(found)) == set(columns.TABLES)
    for name, table in tables.tidy(found).items():
        assert set(table) <= set(columns.COLUMNS), name
