"""What there is, by name: the rows that `list` prints."""

from typing import Any, Literal

from itt_jax.errors import unknown

ARM_SUMMARIES = {
    "direct": "target stage alone",
    "itt": "intermediate task, then the target",
    "multitask_itt": "all intermediate tasks at once, then the target; as many updates as itt",
    "matched": "control: itt's two stages with target training rows in place of intermediate rows",
    "shuffled_itt": "control: itt with the intermediate labels permuted",
    "dapt": "language modelling on domain text, then the target",
    "dapt_control": "control of dapt: language modelling on as much general text",
    "translate_train": "target stage on the training rows of every language that has them; as many updates as direct",
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
        return [_operator(operator) for operator in _operators().values()]
    raise unknown("kind", kind, KINDS)


def _tasks():
    from itt_jax.tasks import tasks

    return tasks()


def _operators():
    from itt_jax.perturb import CATALOG

    return CATALOG


def _task(task) -> dict[str, Any]:
    classes = ", ".join(task.labels) or f"{task.score_range[0]:g} to {task.score_range[1]:g}"
    return {
        "name": task.name,
        "summary": f"{task.domain}, {task.kind} ({classes}), {task.metric}; {' '.join(task.languages)}",
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

    everywhere = operator.languages == LANGUAGES
    return {
        "name": operator.name,
        "summary": f"{operator.family}: {operator.summary}",
        "family": operator.family,
        "severity": operator.severity_unit,
        "languages": "all" if everywhere else sorted(operator.languages),
        "reversible": operator.reversible,
        "readable": operator.readable,
        "nested": operator.nested,
        "reference": operator.reference,
        "version": operator.version,
    }
