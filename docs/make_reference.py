"""Makes docs/reference.md from the docstrings and defaults of the classes that a config is written with.

    python docs/make_reference.py

tests/test_docs.py fails where the page and the code differ, or where a field has no description.
"""

import dataclasses
import inspect
import pathlib
import re
import typing
from collections.abc import Iterator

from itt_jax import config
from itt_jax.data.contamination import Contamination
from itt_jax.data.sources import SOURCES
from itt_jax.report import columns
from itt_jax.study import arms, hardening
from itt_jax.tasks import Task

PAGE = pathlib.Path(__file__).with_name("reference.md")
HEAD = """# Reference

Every field of a config, every column of a result. This page is made from the code by `docs/make_reference.py`; the
words it uses are in the [glossary](glossary.md). `python -m itt_jax.main config --config F --print` shows a study with
all its defaults, in lines that `--set` takes.
"""
STUDY = (
    config.Study,
    config.EncoderSpec,
    config.Corpus,
    config.LanguageModel,
    config.Target,
    config.Recipe,
    config.Perturbation,
    config.StandIn,
    config.Stopping,
    config.Claim,
    arms.Arm,
    arms.FineTune,
    arms.Adapt,
    arms.MatchCompute,
    hardening.Augmented,
    hardening.WorstOf,
    hardening.PGD,
    hardening.FreeLB,
    hardening.SMART,
    hardening.Attacked,
)


def page() -> str:
    """The whole page."""
    homes = "From `itt_jax.config`; arms and stages from `itt_jax.study.arms`, and from `itt_jax.study.hardening`.\n"
    parts = [HEAD, "## A study\n", homes]
    parts += [section(owner) for owner in STUDY]
    parts += [
        "## Tasks and where their rows are\n",
        "From `itt_jax.tasks` and `itt_jax.data.sources`.\n",
        section(Task),
    ]
    parts += [section(owner) for owner in SOURCES]
    parts += ["## Contamination\n", "Of each source, as plan.json and the report give it. "]
    parts[-1] += "[Rules](tasks.md#contamination).\n"
    parts += [table(("field", "meaning"), [(f"`{name}`", text) for name, text in meanings(Contamination).items()])]
    parts += ["## Columns of results.parquet\n", "One row a cell.\n"]
    parts += [table(("column", "meaning"), [(f"`{name}`", text) for name, text in columns.RESULTS.items()])]
    parts += ["## Tables of the report\n", "CSV files in OUT/report/tables.\n"]
    parts += [table(("table", "rows"), [(f"`{name}.csv`", text) for name, text in columns.TABLES.items()])]
    own = [(f"`{column}` of {name}.csv", text) for name, texts in columns.OWN.items() for column, text in texts.items()]
    rows = [(f"`{name}`", text) for name, text in columns.COLUMNS.items()]
    parts += [table(("column", "meaning"), rows + own)]
    return "\n".join(parts)


def section(owner: type) -> str:
    """A class: its purpose and its fields."""
    described, hints = meanings(owner), typing.get_type_hints(owner)
    rows = [
        (f"`{field.name}`", f"`{shown(hints[field.name])}`", default(field), described[field.name])
        for field in dataclasses.fields(owner)
    ]
    purpose = inspect.getdoc(owner).split("\n\n")[0].replace("\n", " ")
    return f"### {owner.__name__}\n\n{purpose}\n\n{table(('field', 'type', 'default', 'meaning'), rows)}"


def meanings(owner: type) -> dict[str, str]:
    """Field -> its description in the docstring of the class, or of the class that it comes from.

    Raises:
        KeyError: a field has none.
    """
    found: dict[str, str] = {}
    for base in reversed(owner.__mro__):
        if base.__module__.startswith("itt_jax"):
            found |= dict(_attributes(inspect.cleandoc(base.__doc__ or "")))
    return {field.name: found[field.name] for field in dataclasses.fields(owner)}


def _attributes(docstring: str) -> Iterator[tuple[str, str]]:
    """The entries of "Attributes:"; one may describe several fields ("layers, width: ..."), or follow another."""
    _, _, block = docstring.partition("Attributes:\n")
    block = re.split(r"\n\S", block)[0]
    entries = re.split(r"(?:^|\n| {2,}|(?<=\. ))(?=\s*(?:\w+, )*\w+: )", block)
    for entry in entries:
        match = re.match(r"\s*((?:\w+, )*\w+): (.*)", entry, re.DOTALL)
        if match:
            for name in match[1].split(", "):
                yield name, " ".join(match[2].split())


def shown(hint: typing.Any) -> str:
    """A type as its reader knows it."""
    text = hint.__name__ if inspect.isclass(hint) and not typing.get_args(hint) else str(hint)
    return re.sub(r"\b(?:\w+\.)+(\w+)", r"\1", text)


def default(field: dataclasses.Field) -> str:
    """The default of a field."""
    if field.default is not dataclasses.MISSING:
        value = repr(field.default)
        return f"`{value}`" if len(value) < 60 else f"`{type(field.default).__name__}(...)`"
    return f"`{field.default_factory()!r}`" if field.default_factory is not dataclasses.MISSING else "required"


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [head, ("---",) * len(head), *rows]
    cells = (" | ".join(cell.replace("|", "\\|").replace("<", "&lt;") for cell in line) for line in lines)
    return "".join(f"| {line} |\n" for line in cells)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
