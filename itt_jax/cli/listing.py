"""What there is, by name: the rows that `list` prints."""

import itertools
from collections.abc import Iterator
from typing import Any, Literal

from itt_jax.errors import unknown

ARM_SUMMARIES = {
    "direct": "target stage alone",
    "itt": "intermediate task, then the target",
    "multitask_itt": "all intermediate tasks at once, then the target; as many steps as itt",
    "matched": "control: itt's two stages with target training rows in place of intermediate rows",
    "shuffled_itt": "control: itt with the intermediate labels permuted",
    "dapt": "language modelling on domain text, then the target",
    "dapt_control": "control of dapt: language modelling on as much general text",
    "translate_train": "target stage on the training rows of every language that has them; as many steps as direct",
}
MODEL_SUMMARIES = {
    "bert": "BERT and mBERT: absolute positions, segment types, masked LM",
    "roberta": "RoBERTa and XLM-R: absolute positions after the padding id, masked LM",
    "xlnet": "XLNet: relative positions, permutation LM in two streams, memories",
}
KINDS = ("models", "tasks", "perturbations", "arms")


def listing(kind: Literal["models", "tasks", "perturbations", "arms"]) -> list[dict[str, Any]]:
    """Rows with at least "name" and "summary".

    Raises:
        InputError: no such kind.
    """
    if kind == "models":
        return [{"name": name, "summary": summary} for name, summary in MODEL_SUMMARIES.items()]
    if kind == "arms":
        return [{"name": name, "summary": summary} for name, summary in ARM_SUMMARIES.items()]
    if kind == "tasks":
        return [_task(task) for _, task in sorted(_tasks().items())]
    if kind == "perturbations":
        return [_operator(operator) for operator in _operators().values()] + _token_noises()
    raise unknown("kind", kind, KINDS)


def _tasks():
    from itt_jax.tasks import tasks

    return tasks()


def _operators():
    from itt_jax.perturb import CATALOG

    return CATALOG


def _task(task) -> dict[str, Any]:
    classes = ", ".join(task.labels)
    if task.kind == "regression":
        classes = f"{task.score_range[0]:g} to {task.score_range[1]:g}"
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
        "version": operator.version,
        "example": example and {key: getattr(example, key) for key in ("language", "severity", "clean", "perturbed")},
    }


def _token_noises() -> list[dict[str, Any]]:
    from itt_jax.evaluate.token_noise import KINDS, TOKEN_NOISES

    return [
        {
            "name": noise.name,
            "summary": f"token: {noise.summary}",
            "family": "token",
            "severity": "share of an example's tokens, special ones apart",
            "languages": "all",
            "kinds": list(KINDS),
            "changes_label": noise.changes_label,
            "version": noise.version,
        }
        for noise in TOKEN_NOISES.values()
    ]


def perturbation_lines(rows: list[dict[str, Any]]) -> Iterator[str]:
    """The rows of "perturbations" for people: families as headings, a few lines an operator."""
    from itt_jax.perturb import get
    from itt_jax.perturb.documentation import languages_of, visible

    texts, tokens = ([row for row in rows if (row["family"] == "token") == below] for below in (False, True))
    for family, group in itertools.groupby(sorted(texts, key=_family), key=lambda row: row["family"]):
        group = list(group)
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
