"""What was declared before the first result, what was changed later, and how often a study was looked at; in words."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from itt_jax.analysis import Analysis
from itt_jax.analysis.looks import Looked


def sentences(analysis: Analysis) -> list[str]:
    """One sentence on the declaration, one on each later change, one on the looks."""
    found = _declared(analysis.declared) if analysis.declared else []
    return found + _looks(analysis.looked)


def _declared(declared: Mapping[str, Any]) -> list[str]:
    """The declaration and its changes."""
    first, rule = declared["hash"], declared["content"]["stopping"]
    if declared["changes"]:
        first, rule = (declared["changes"][0].get(name) for name in ("before", "stopping_before"))
    done = declared["target_stages"]
    when = "before the first target stage"
    if done:
        when = f"after {done} target stage{' was' if done == 1 else 's were'} done"
    named = f": {_rule(rule)}" if rule else ""  # a change made by an earlier version has no rule
    found = [
        f"Questions, bound, recipes, data, seeds and stopping rule were declared {when} "
        f"({_day(declared['time'])}, hash {first}){named}."
    ]
    for change in declared["changes"]:
        done, fields = change["target_stages"], "; ".join(change["fields"])
        stages = f"{done} target stage{'' if done == 1 else 's'}"
        found.append(f"Changed after {stages} ({_day(change['time'])}, hash {change['hash']}): {fields}.")
    return found


def _rule(stopping: Mapping[str, Any]) -> str:
    """A stopping rule."""
    if "looks" in stopping:
        return f"looks after {_listed(stopping['looks'])} seeds, until every primary question is decided"
    if "anytime" in stopping:
        return "seeds may be added at any time"
    return f"{stopping['seeds']} seed{'' if stopping['seeds'] == 1 else 's'}"


def _looks(looked: Looked) -> list[str]:
    """The looks of a study that grows by seeds."""
    if not looked.looks:
        return []
    if not looked.look.seeds:
        return [f"There was no look yet, so nothing is decided; the first is after {looked.looks[0]} seeds."]
    return [
        f"Looked at after {_listed(looked.made or (looked.look.seeds,))} of at most {looked.looks[-1]} seeds; findings "
        f"are those of the first {looked.look.seeds} seeds, with intervals and tests that hold over all looks; what an "
        "earlier look decided has the figures of that look."
    ]


def _listed(numbers: Sequence[int]) -> str:
    *first, last = map(str, numbers)
    return f"{', '.join(first)} and {last}" if first else last


def _day(seconds: float) -> str:
    """A time in UTC, to the minute."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))
