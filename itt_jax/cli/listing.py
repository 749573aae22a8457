"""The rows that `list` prints."""

import dataclasses
import itertools
import pathlib
from collections.abc import Iterator
from typing import Any

from itt_jax.errors import InputError, unknown
from itt_jax.study import arms

MOST_CODES = 15  # maximum number of languages named in a line
LISTED = ("models", "tasks", "kinds", "metrics", "perturbations", "attacks", "arms")


def listing(listed: str) -> list[dict[str, Any]]:
    """Rows with at least "name" and "summary".

    Raises:
        InputError: there is no such list.
    """
    if listed == "models":
        return [_family_row(family) for family in _families()]
    if listed == "arms":
        return [_arm(arm) for arm in arms.ARMS]
    if listed == "tasks":
        return [_task(task) for _, task in sorted(_tasks().items())]
    if listed == "kinds":
        return [_kind(kind) for kind in _kinds()]
    if listed == "metrics":
        return [_metric(metric) for metric in _metrics()]
    if listed == "perturbations":
        return [_operator(operator) for operator in _operators().values()] + _token_noises()
    if listed == "attacks":
        return [_attack(attack) for attack in _attacks()]
    raise unknown("list", listed, LISTED)


def _arm(arm: arms.Arm) -> dict[str, Any]:
    stages = [{"stage": type(stage).__name__, **dataclasses.asdict(stage)} for stage in arm.stages]
    for found, stage in zip(stages, arm.stages, strict=True):
        if (hardening := getattr(stage, "hardening", None)) is not None:
            found["hardening"] = {"type": type(hardening).__name__, **dataclasses.asdict(hardening)}
    return {"name": arm.name, "summary": arm.summary, "role": arm.role, "baseline": arm.baseline, "stages": stages}


def _family_row(family) -> dict[str, Any]:
    own = {"model_types": list(family.huggingface.model_types), "checkpoints": list(family.checkpoints)}
    return {"name": family.name, "summary": family.summary, **own}


def _families():
    from itt_jax.families import FAMILIES

    return FAMILIES


def _tasks():
    from itt_jax.tasks import tasks

    return tasks()


def _kinds():
    from itt_jax.kinds import KINDS

    return KINDS


def _metrics():
    from itt_jax.metrics import METRICS

    return METRICS


def _attacks():
    from itt_jax.attack import ATTACKS

    return ATTACKS


def _operators():
    from itt_jax.perturb import CATALOG

    return CATALOG


def _task(task) -> dict[str, Any]:
    from itt_jax import kinds

    classes = kinds.kind(task.kind).label_summary(task)
    kind = f"{task.kind} ({classes})" if classes else task.kind
    return {
        "name": task.name,
        "summary": f"{task.domain}, {kind}, {task.metric}; {' '.join(task.languages)}",
        "kind": task.kind,
        "domain": task.domain,
        "languages": list(task.languages),
        "source_language": task.source_language,
        "fields": list(task.fields),
        "labels": list(task.labels),
        "metric": task.metric,
        "description": task.description,
        "note": task.note,
    }


def presences(data_root: pathlib.Path) -> Iterator[dict[str, Any]]:
    """The catalogued tasks whose files are in a folder: name, rows by split and language, and errors in files.

    Raises:
        InputError: there is none.
    """
    from itt_jax.tasks.presence import presence

    none = True
    for name, task in sorted(_tasks().items()):
        found = presence(task, data_root)
        if found.rows or found.errors:
            none = False
            yield {"name": name, "kind": task.kind, "rows": found.rows, "errors": list(found.errors)}
    if none:
        raise InputError(f"{data_root}: no file of any task in the catalogue is there")


def presence_lines(row: dict[str, Any]) -> Iterator[str]:
    """A row of `presences` as text: a line for each split, and one for each error."""
    name = row["name"]
    for split, counts in row["rows"].items():
        low, high = min(counts.values()), max(counts.values())
        rows = f"{low:,}" if low == high else f"{low:,}-{high:,}"
        languages = " ".join(counts) if len(counts) <= MOST_CODES else f"{len(counts)} languages"
        yield f"{name:<27} {split:<8} {rows:>14}  {languages}"
        name = ""
    for error in row["errors"]:
        yield f"{name:<27} error: {error}"
        name = ""


def _kind(kind) -> dict[str, Any]:
    return {"name": kind.name, "summary": kind.summary, "head": kind.head, "token_noise": kind.token_noise}


def _metric(metric) -> dict[str, Any]:
    return {
        "name": metric.name,
        "summary": metric.summary if metric.higher_is_better else f"{metric.summary}; lower is better",
        "outcomes": list(metric.outcomes),
        "lowest": metric.lowest,
        "highest": metric.highest,
        "higher_is_better": metric.higher_is_better,
        "version": metric.version,
    }


def _attack(attack) -> dict[str, Any]:
    parts = {
        name: {"type": type(own).__name__, **dataclasses.asdict(own)}
        for name, own in (("search", attack.search), ("candidates", attack.candidates))
    }
    constraints = [{"type": type(own).__name__, **dataclasses.asdict(own)} for own in attack.constraints]
    about = {"name": attack.name, "summary": attack.summary, "reference": attack.reference}
    return {**about, **parts, "constraints": constraints, "budget": attack.budget}


def _operator(operator) -> dict[str, Any]:
    from itt_jax.perturb import LANGUAGES
    from itt_jax.perturb.documentation import examples

    everywhere = operator.languages == LANGUAGES
    example = next(examples(operator), None)
    return {
        "name": operator.name,
        "summary": f"{operator.family}: {operator.summary}",
        "family": operator.family,
        "severity": operator.severity_unit,
        "languages": "all" if everywhere else sorted(operator.languages),
        "scripts": operator.scripts,
        "lexicon": operator.lexicon,
        "changes_label": operator.changes_label,
        "reversible": operator.reversible,
        "readable": operator.readable,
        "nested": operator.nested,
        "whole_clusters": operator.whole_clusters,
        "reference": operator.reference,
        "version": operator.output_version,
        "example": example and {key: getattr(example, key) for key in ("language", "severity", "clean", "perturbed")},
    }


def _token_noises() -> list[dict[str, Any]]:
    from itt_jax import kinds
    from itt_jax.evaluate.noises import TOKEN_NOISES

    return [
        {
            "name": noise.name,
            "summary": f"token: {noise.summary}",
            "family": "token",
            "severity": "share of an example's tokens, special ones apart",
            "languages": "all",
            "kinds": [kind.name for kind in kinds.KINDS if kind.token_noise],
            "changes_label": noise.changes_label,
            "version": noise.output_version,
        }
        for noise in TOKEN_NOISES.values()
    ]


def perturbation_lines(rows: list[dict[str, Any]]) -> Iterator[str]:
    """The rows of "perturbations" as text: families as headings, a few lines for each operator."""
    from itt_jax.perturb import get
    from itt_jax.perturb.documentation import languages_of, visible

    texts, tokens = ([row for row in rows if (row["family"] == "token") == below] for below in (False, True))
    for family, members in itertools.groupby(sorted(texts, key=_family), key=lambda row: row["family"]):
        group = list(members)
        mark = " - these CHANGE the label, or may: no measure of robustness" if group[0]["changes_label"] else ""
        yield f"{family}{mark}"
        for row in group:
            yield f"  {row['name']:<22} {row['summary'].partition(': ')[2]}"
            yield f"      severity   {row['severity']}"
            yield f"      languages  {languages_of(get(row['name']))}"
            if row["lexicon"]:
                yield f"      lexicon    {row['lexicon']}"
            if row["example"]:
                one = row["example"]
                yield f"      {one['language']}         {visible(one['clean'])}"
                yield f"      {one['language']} {one['severity']:<8g}{visible(one['perturbed'])}"
        yield ""
    yield "token - noise on token ids, on the device: for studies and `evaluate`, not for `perturb`"
    for row in tokens:
        yield f"  {row['name']:<22} {row['summary'].partition(': ')[2]}"
        yield f"      severity   {row['severity']}; tasks of {' and '.join(row['kinds'])}"


def _family(row: dict[str, Any]) -> int:
    from itt_jax.perturb.operator import FAMILIES

    return FAMILIES.index(row["family"])
