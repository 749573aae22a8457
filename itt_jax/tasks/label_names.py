"""Matches a head's outputs with a task's labels, by the names that a checkpoint gives its outputs."""

import re
from collections.abc import Callable, Mapping, Sequence

from itt_jax.errors import InputError, listed, unknown
from itt_jax.tasks.task import Task

SYNONYMS: tuple[tuple[str, ...], ...] = (
    ("entailment", "entails", "entailed"),
    ("contradiction", "contradicts"),
    ("not_entailment", "not-entailment", "not entailment", "non_entailment", "non-entailment"),
    ("negative", "neg"),
    ("neutral", "neu"),
    ("positive", "pos"),
    ("paraphrase", "equivalent", "duplicate"),
    ("different", "not_paraphrase", "not_equivalent", "not_duplicate"),
    ("acceptable", "grammatical"),
    ("unacceptable", "ungrammatical"),
    ("per", "person"),
    ("loc", "location"),
    ("org", "organization", "organisation"),
    ("misc", "miscellaneous"),
)
"""Names of one label, in lower case; for tags, the part after B- or I-. A name that could be read in two ways, such as
"n", is in no group."""
_GROUPS = {name: group[0] for group in SYNONYMS for name in group}


def output_order(task: Task, names: Sequence[str] | None, given: str | None = None) -> list[int]:
    """The output of each of the task's labels.

    Names are compared in any order and case, then by `SYNONYMS`. Outputs without names (placeholders) are in the
    task's order, and so are numbers that count from 0, unless the task's data uses these numbers for other labels.

    Args:
        names: names of the outputs, as many as the task has labels; None for placeholders.
        given: the value of `--labels`: "name or number of output=label,..."; it takes precedence over the names.

    Raises:
        InputError: names that are not the task's, or `given` does not name each label and output once.
    """
    in_order = list(range(len(task.labels)))
    if given is not None:
        return _given_order(task, names, given)
    if names is None:
        return in_order
    order = _named_order(task, names)
    if order is None and not _counts(task, names):
        raise InputError(
            f"the checkpoint's labels are {', '.join(names)}, those of task {task.name!r} {', '.join(task.labels)}; "
            f"say which is which: --labels NAME={task.labels[0]},NAME={task.labels[1]},... with the checkpoint's names "
            "or the numbers of its outputs"
        )
    return in_order if order is None else order


def table_labels(
    published: Sequence[str], outputs: int, names: Sequence[str] | None, given: str | None = None
) -> tuple[tuple[str, ...], dict[str, str]]:
    """The labels of a task that is made for a head, and published label -> label if the two differ.

    Labels are the names of the outputs, in their order, and published ones are compared with them as in `output_order`.
    They need not all occur. Outputs without names have their numbers as labels, all of which must occur.

    Args:
        published: the distinct labels of the data. names, given: as in `output_order`.

    Raises:
        InputError: published labels that are not names of outputs.
    """
    if given is not None:
        return _told_labels(published, given)
    numbers = tuple(map(str, range(outputs)))
    own = tuple(names or (f"LABEL_{i}" for i in range(outputs)))
    for spelled in (str, str.casefold, _canonical):
        by_name = {spelled(name): name for name in own}
        if len(by_name) == len(own) and (found := _matched(published, by_name, spelled)) is not None:
            return own, found
    if names is None and set(published) == set(numbers):
        return numbers, {}
    raise InputError(
        f"the labels are {listed(published)}, those of the checkpoint {', '.join(own)}; say which is which: "
        f"--labels NAME={published[0]},... with the checkpoint's names or the numbers of its outputs"
    )


def _told_labels(published: Sequence[str], given: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """The labels that `--labels` names, and published label -> label if only the case differs, as in JSON's "false"."""
    labels = tuple(label.strip() for _, _, label in (part.partition("=") for part in _parts(given)))
    for spelled in (str, str.casefold):
        named = {spelled(label): label for label in labels}
        if (found := _matched(published, named, spelled)) is not None:
            return labels, found
    absent = [label for label in published if label not in labels]
    raise InputError(
        f"--labels {given!r:.80}: the table also has the labels {listed(absent)}; expected NAME=LABEL for each of "
        f"{listed(published)}, or a table without the other rows"
    )


def _matched(
    published: Sequence[str], names: Mapping[str, str], spelled: Callable[[str], str]
) -> dict[str, str] | None:
    """Published label -> its name, each a different one; empty if all are equal. None if a label has no own name.

    Args:
        names: spelling -> name.
    """
    found = {label: names[key] for label in published if (key := spelled(label)) in names}
    if len(found) < len(set(published)) or len(set(found.values())) < len(found):
        return None
    return {} if all(label == name for label, name in found.items()) else found


def _named_order(task: Task, names: Sequence[str]) -> list[int] | None:
    """By name; None unless every label is the name of one output."""
    for spelled in (str, str.casefold, _canonical):
        own, wanted = ([spelled(name) for name in side] for side in (names, task.labels))
        if len(set(own)) == len(own) and sorted(own) == sorted(wanted):
            return [own.index(name) for name in wanted]
    return None


def _canonical(name: str) -> str:
    """The name in lower case, or the first of its group; behind the B- or I- of a tag."""
    folded = name.casefold()
    prefix = folded[:2] if folded.startswith(("b-", "i-")) else ""
    rest = folded.removeprefix(prefix)
    return prefix + _GROUPS.get(rest, rest)


def _counts(task: Task, names: Sequence[str]) -> bool:
    """Whether the names are 0, 1 ..., and no source of the task publishes one of these numbers for another label."""
    numbers = {str(i): label for i, label in enumerate(task.labels)}
    published = [item for source in task.sources for item in source.labels.items() if item[0] in numbers]
    agreed = all(numbers[name] == label for name, label in published)
    return agreed and list(names) == list(numbers) and not set(names) & set(task.labels)


def _given_order(task: Task, names: Sequence[str] | None, given: str) -> list[int]:
    """By `--labels`."""
    names = list(names or (f"LABEL_{i}" for i in range(len(task.labels))))
    outputs: dict[str, int] = {}
    for part in _parts(given):
        name, equals, label = (side.strip() for side in part.partition("="))
        if not equals:
            raise InputError(f"--labels {part!r:.80}: expected NAME=LABEL,... with a name or number of an output")
        if label not in task.labels:
            raise unknown(f"label of task {task.name!r} in --labels:", label, task.labels)
        if label in outputs:
            raise InputError(f"--labels: label {label!r} is given twice")
        output = _output(name, names)
        if output in outputs.values():
            raise InputError(f"--labels: output {name!r} is given twice")
        outputs[label] = output
    missing = [label for label in task.labels if label not in outputs]
    if missing:
        raise InputError(f"--labels: expected an output for every label, found none for {', '.join(missing)}")
    return [outputs[label] for label in task.labels]


def _parts(given: str) -> list[str]:
    """The parts of `--labels`; a comma in a label does not end it unless a name and "=" follow."""
    return re.split(r",(?=[^,=]*=)", given)


def _output(name: str, names: list[str]) -> int:
    """The output of a name, or else of a number."""
    if names.count(name) == 1:
        return names.index(name)
    if name.isdecimal() and int(name) < len(names):
        return int(name)
    if name in names:
        raise InputError(f"--labels: {names.count(name)} outputs are called {name!r}; expected their numbers")
    raise unknown("output in --labels:", name, [*names, *map(str, range(len(names)))])
