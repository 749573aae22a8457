"""Studies that grow by seeds until their primary questions are decided.

A round adds seeds up to the next declared look; then the study is looked at once, and the result is recorded in the
results folder. Between looks nothing is judged, and a report shows the latest look.
"""

import dataclasses
import functools
import pathlib
import time
from collections.abc import Callable
from typing import Any

from itt_jax.config import Study
from itt_jax.errors import InputError
from itt_jax.store import Store
from itt_jax.store.results import is_unchanged, read_results
from itt_jax.study import arms
from itt_jax.study.declaring import with_seeds
from itt_jax.study.progress import Progress, counted
from itt_jax.study.running import Results, opened, run
from itt_jax.study.tracking import UNTRACKED, Tracking
from itt_jax.train.processes import shared

Judge = Callable[[pathlib.Path, int], list[dict[str, Any]]]
"""Judges the questions of a results folder on its first seeds; one row a question (family, question, estimate, verdict
...)."""


def looks_of(study: Study, max_seeds: int | None = None) -> tuple[int, ...]:
    """The numbers of seeds at which a study is looked at, the last of them at most `max_seeds`.

    Raises:
        InputError: `max_seeds` leaves no look, or the study has no primary question.
    """
    compared = arms.resolved(study.arms)
    names = [arm.name for arm in compared]
    has_baseline = any(arm.role == "baseline" for arm in compared)
    if not any(arm.role == "treatment" and (has_baseline or arm.baseline in names) for arm in compared):
        raise InputError(f"--until-decided: no treatment with a baseline among the arms {', '.join(names)}")
    looks = study.stopping.looks
    if max_seeds is None or max_seeds >= looks[-1]:
        return looks
    if max_seeds < 2:
        raise InputError(f"--max-seeds: found {max_seeds}, expected at least 2")
    return (*(look for look in looks if look < max_seeds), max_seeds)


def run_until_decided(
    study: Study,
    out: str | pathlib.Path,
    judge: Judge,
    data_root: str | pathlib.Path | None = None,
    *,
    max_seeds: int | None = None,
    quiet: bool = False,
    stack: int | None = None,
    profile: bool = False,
    tracking: Tracking = UNTRACKED,
    cache: str | pathlib.Path | None = None,
    share: str | None = None,
) -> Results:
    """Add seeds at the declared looks until every primary question is supported, contradicted or negligible.

    Another call continues after the last look; several workers may do so on one folder. It does not wait for questions
    without signal, in a study that changes no text, or resting on a stage that learned nothing: more seeds do not
    change that.

    Args:
        max_seeds: the last look, unless the study's own last look comes earlier; later looks are not declared.
        quiet, stack, profile, tracking, cache, share: as `run` takes them.

    Raises:
        InputError: there is no primary question; see also `run`.
    """
    looks, made = looks_of(study, max_seeds), 0
    store = opened(out, share)
    for number in looks[shared(lambda: _first_open(store, looks)) :]:
        done = run(with_seeds(study, number), out, data_root, quiet, stack, profile, looks, tracking, cache, share)
        made += done.made
        if shared(functools.partial(_stops, store, number, looks, judge, quiet)):
            break
    return dataclasses.replace(done, made=made)


def _first_open(store: Store, looks: tuple[int, ...]) -> int:
    """The index of the first look that is missing or ended the study; that of the last look if there is none.

    A folder that was looked at accepts only its own declaration; `run` checks it.
    """
    declared = ((store.existing_plan() or {}).get("declared") or {}).get("hash", "")
    for place, number in enumerate(looks):
        seen = store.agreed.look(declared, number)
        if seen is None or seen["stop"]:
            return place
    return len(looks) - 1


def _stops(store: Store, number: int, looks: tuple[int, ...], judge: Judge, quiet: bool) -> bool:
    """Whether the look after so many seeds ends the study; it is taken now unless it was taken before."""
    declared = store.plan()["declared"]["hash"]
    return (store.agreed.look(declared, number) or _look(store, declared, number, looks, judge, quiet))["stop"]


def _look(store: Store, declared: str, number: int, looks: tuple[int, ...], judge: Judge, quiet: bool) -> dict:
    """Look at the study and record the result."""
    with Progress(quiet) as progress:
        progress.at("look", f"analysing {counted(number, 'seed')}")
        rows = judge(store.out, number)
        asked = [row for row in rows if row["family"] == "primary" and row["estimate"] is not None]
        undecided = [row["question"] for row in asked if row["verdict"] == "undetermined"]
        seen = {"seeds": number, "time": time.time(), "stop": not undecided, "questions": rows}
        if store.agreed.create_look(declared, number, seen):
            store.log("look", seeds=number, looks=looks, stop=seen["stop"], undecided=undecided)
        for row in asked:
            progress.say(f"look at {number} seeds: {row['question']}: {row['verdict']}")
        if not asked:
            unchanged = is_unchanged(read_results(store.out))
            reason = (
                "no text is perturbed and no domain shifted" if unchanged else "no score is above chance in both arms"
            )
            progress.say(f"look at {number} seeds: no primary question has an answer, because {reason}")
        elif undecided:
            after = "the last look" if number == looks[-1] else "more seeds follow"
            share = f"{len(undecided)} of {counted(len(asked), 'primary question')}"
            progress.say(f"look at {number} seeds: {share} undecided; {after}")
        else:
            withheld = any(row["verdict"] == "not judged" for row in asked)
            end = ", or not judged because a stage did not learn" if withheld else ""
            progress.say(f"look at {number} seeds: every primary question is decided{end}")
    return store.agreed.look(declared, number) or seen
