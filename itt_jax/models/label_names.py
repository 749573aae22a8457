"""The outputs of a head according to a Hugging Face config: their number, their names, and their loss."""

import json
from collections.abc import Mapping
from typing import Any

from itt_jax.errors import InputError, unknown

SINGLE_LABEL = "single_label_classification"
MOST_OUTPUTS = 1 << 20
DEFAULT_OUTPUTS = 2
"""Hugging Face's default, for a config with neither id2label nor num_labels."""


def read_outputs(config: Mapping[str, Any], where: str) -> tuple[int, tuple[str, ...] | None]:
    """The number of outputs, and their names or None: there are none, or only placeholders (LABEL_0, LABEL_1 ...).

    Names that are numbers, booleans or null are spelled as in JSON.

    Args:
        where: name of the config in messages.

    Raises:
        InputError: id2label, label2id and num_labels are malformed or contradict one another.
    """
    number, names = config.get("num_labels"), _by_id(config.get("id2label"), where)
    if number is not None and (type(number) is not int or not 1 <= number <= MOST_OUTPUTS):
        raise InputError(f"{where}: num_labels: expected 1 to {MOST_OUTPUTS} outputs, found {number!r:.80}")
    if number is not None and names is not None and number != len(names):
        raise InputError(f"{where}: num_labels is {number}, but id2label names {len(names)} outputs")
    stated = _by_name(config.get("label2id"), where)
    own = None if names is None or _placeholders(names) else names
    if stated is not None and own is None:
        own = _in_order(stated)
        count = len(names) if names else number or len(own)
        if sorted(stated.values()) != list(range(count)):
            raise InputError(f"{where}: label2id: expected ids 0 to {count - 1}, found {_shown(stated)}")
    elif stated is not None and own is not None and stated != {name: i for i, name in enumerate(own)}:
        raise InputError(
            f"{where}: label2id {_shown(stated)} contradicts id2label {_shown(dict(enumerate(own)))}; "
            "expected each to be the other's inverse"
        )
    return len(own or names or ()) or number or DEFAULT_OUTPUTS, own


def problem_of(config: Mapping[str, Any], outputs: int, known: list[str], where: str) -> str:
    """The config's problem_type; if absent, it is regression for one output, as in `transformers`.

    Raises:
        InputError: it is none of the known ones.
    """
    problem = config.get("problem_type")
    if problem is None:
        return "regression" if outputs == 1 else SINGLE_LABEL
    if problem not in known:
        raise unknown(f"problem_type in {where}:", problem, known)
    return problem


def _by_id(given: Any, where: str) -> tuple[str, ...] | None:
    if not given:
        return None
    if not isinstance(given, dict) or set(given) != {str(i) for i in range(len(given))}:
        raise InputError(f"{where}: id2label: expected a name for each id from 0 on, found {_shown(given)}")
    names = [given[str(i)] for i in range(len(given))]
    for name in names:
        if isinstance(name, dict | list):
            raise InputError(f"{where}: id2label: expected names, found {name!r:.80}")
    return tuple(name if isinstance(name, str) else json.dumps(name) for name in names)


def _by_name(given: Any, where: str) -> dict[str, int] | None:
    """label2id; None if it is absent or equals Hugging Face's default."""
    if not given:
        return None
    if not isinstance(given, dict) or any(type(i) is not int for i in given.values()):
        raise InputError(f"{where}: label2id: expected an id for each name, found {_shown(given)}")
    return None if _placeholders(_in_order(given)) else given


def _in_order(stated: dict[str, int]) -> tuple[str, ...]:
    return tuple(sorted(stated, key=lambda name: stated[name]))


def _placeholders(names: tuple[str, ...]) -> bool:
    return all(name == f"LABEL_{i}" for i, name in enumerate(names))


def _shown(value: Any) -> str:
    return f"{json.dumps(value, ensure_ascii=False):.200}"
