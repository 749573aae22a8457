"""The inputs of a plan: numbers of its rows, and digests of everything that a config refers to by name."""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from itt_jax import kinds, tasks
from itt_jax.data.rows import Rows
from itt_jax.study.cells import variants_of
from itt_jax.study.material import Material, Selection, digest_rows, lexicon_digest
from itt_jax.study.plan import Plan
from itt_jax.tasks import Task

Inputs = dict[str, dict[str, Any]]
"""Name of an input -> its digest; for rows also their number and files."""
LEXICON = "lexicon "
"""Begins the name of a lexicon, whose path follows."""


@dataclasses.dataclass(frozen=True)
class RowCount:
    """The rows of one split in one language that a target uses for one purpose.

    Attributes:
        target: its name; "" for the corpus of an encoder that is made here.
        purpose: "training" or "dev", preceded by the kind of stage unless that is the target's; "evaluation"; "signal",
            the dev rows that decide whether the evaluation rows of a language have signal; "pretraining".
        source: "TASK/SPLIT", or a corpus. language: "" for a corpus.
        rows: number used. of: number in the split.
        dropped: number of those that are dropped because their text is evaluated.
    """

    target: str
    purpose: str
    source: str
    language: str
    rows: int
    of: int
    dropped: int


def row_counts(plan: Plan, material: Material) -> list[RowCount]:
    """The rows of every target, in reading order: its own, then those of other stages."""
    found = [*_corpora(plan, material)]
    for target in plan.study.running_targets():
        own = [stage for stage in plan.made() if target.name in {name for name, _ in plan.uses.get(stage.id, ())}]
        seen: set[Selection] = set()
        for stage in sorted(own, key=lambda stage: stage.kind != "target"):
            for purpose, selections in stage.selections.items():
                named = purpose if stage.kind == "target" else f"{stage.kind} {purpose}"
                for selection in selections:
                    if selection not in seen:
                        found.append(_counted(target.name, named, selection, material))
                    seen.add(selection)
        for selection in _evaluated(plan, target.name):
            rows, everything = (len(material.rows(one)) for one in (selection, _whole(selection)))
            source = f"{selection.task}/{selection.split}"
            found.append(RowCount(target.name, "evaluation", source, selection.language, rows, everything, 0))
        for selection in _signal(plan, target.name):
            checked, everything = material.signal_rows(selection), len(material.rows(_whole(selection)))
            assert checked is not None  # the plan has cells on them
            source = f"{selection.task}/{selection.split}"
            found.append(RowCount(target.name, "signal", source, selection.language, len(checked), everything, 0))
    return found


def row_lines(counts: list[RowCount]) -> Iterator[str]:
    """The numbers as text for a terminal: a line for each target, purpose and split, with its languages together."""
    for target, own in itertools.groupby(counts, key=lambda one: one.target):
        yield f"  target {target}" if target else "  encoders"
        for (purpose, source), group in itertools.groupby(own, key=lambda one: (one.purpose, one.source)):
            several = list(group)
            languages = [one.language for one in several if one.language]
            numbers = list(dict.fromkeys(map(_number, several)))
            where = f"in each of {', '.join(languages)}" if len(languages) > 1 else ""
            if len(numbers) > 1:
                rows = [one.rows for one in several]
                numbers, where = (
                    [f"{min(rows):,} to {max(rows):,}"],
                    f"in {', '.join(languages)} ({sum(rows):,} in all)",
                )
            source = "/".join([source, *languages]) if len(languages) == 1 else source
            yield f"    {purpose:<22} {source:<34} {numbers[0]} {where}".rstrip()


def _number(count: RowCount) -> str:
    of = f" of {count.of:,}" if count.rows < count.of else ""
    return f"{count.rows:,}{of}" + f" ({count.dropped:,} dropped)" * bool(count.dropped)


def _counted(target: str, purpose: str, selection: Selection, material: Material) -> RowCount:
    """Training or dev rows."""
    used, source = len(material.uncontaminated_rows(selection)), f"{selection.task}/{selection.split}"
    entry = material.contamination[f"{source}/{selection.language}"]
    return RowCount(target, purpose, source, selection.language, used, entry.rows, entry.dropped)


def _corpora(plan: Plan, material: Material) -> Iterator[RowCount]:
    for corpus in dict.fromkeys(corpus for spec in plan.study.encoders for corpus in spec.corpus):
        rows, entry = len(material.corpus(corpus)), material.contamination[corpus.source]
        yield RowCount("", "pretraining", corpus.source, "", rows, entry.rows, entry.dropped)


def _evaluated(plan: Plan, target: str) -> list[Selection]:
    """The evaluation rows of a target."""
    places = dict.fromkeys(cell.place for cell in plan.all_cells() if cell.target == target)
    return [Selection(*place, plan.study.evaluation_rows) for place in places]


def _signal(plan: Plan, target: str) -> list[Selection]:
    """The dev rows that decide which groups of a target have signal."""
    cells = (cell for own in plan.signal.values() for cell in own if cell.target == target)
    return [Selection(*place, plan.study.evaluation_rows) for place in dict.fromkeys(cell.place for cell in cells)]


def _whole(selection: Selection) -> Selection:
    return dataclasses.replace(selection, limit=None)


# --- Digests


def inputs(plan: Plan, material: Material) -> Inputs:
    """The inputs of the plan.

    The digests are of the published rows. So if an evaluation split changes, only that split is named, although rows
    are then dropped elsewhere too.
    """
    read = [selection for stage in plan.made() for own in stage.selections.values() for selection in own]
    for target in plan.study.running_targets():
        read += [*_evaluated(plan, target.name), *_signal(plan, target.name)]
    found: Inputs = {}
    for selection in dict.fromkeys(map(_whole, read)):
        task, rows = material.task(selection.task), material.rows(selection)
        found |= rows_input(task, selection.split, selection.language, rows, material.data_root)
    for spec in plan.study.encoders:
        for corpus in spec.corpus:
            found[f"corpus {corpus.source}"] = {"digest": material.corpus_digest(corpus)}
        if spec.checkpoint is not None:
            found[f"checkpoint {spec.checkpoint}"] = {"digest": material.checkpoint_digest(spec.checkpoint)}
        if spec.tokenizer is not None:
            found[f"tokenizer {spec.tokenizer}"] = {"digest": material.tokenizer_digest(spec)}
    for language in dict.fromkeys(cell.language for cell in plan.all_cells()):
        for lexicon in filter(None, variants_of(plan.study.perturbations, language, lambda reason: None).values()):
            found[f"{LEXICON}{lexicon}"] = {"digest": lexicon_digest(lexicon)}
    return found


def rows_input(task: Task, split: str, language: str, rows: Rows, data_root: Any) -> Inputs:
    """A task's rows as an input."""
    about = {"digest": digest_rows(kinds.kind(task.kind), rows), "rows": len(rows)}
    return {
        f"rows of {task.name}/{split}/{language}": about | {"files": tasks.files_of(task, split, language, data_root)}
    }


def changed_inputs(before: Mapping[str, Mapping[str, Any]], now: Inputs) -> list[str]:
    """The inputs whose content has changed, one line each."""
    return [
        _change(name, before[name], own)
        for name, own in now.items()
        if name in before and before[name]["digest"] != own["digest"]
    ]


def _change(name: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    numbers = ""
    if "rows" in now:
        same = before["rows"] == now["rows"]
        numbers = f", {now['rows']:,} rows as before" if same else f", {before['rows']:,} -> {now['rows']:,} rows"
    files = f" ({now['files']})" if now.get("files") else ""
    return f"{name}{files}: content has changed{numbers}"
