"""The stages of a results folder, found by what they are for."""

import pathlib

from itt_jax.errors import InputError
from itt_jax.store.folder import Store

NAMED = ("encoder", "target", "arm", "seed")
"""What names an evaluated stage within a study."""


def find_stage(
    out: pathlib.Path,
    encoder: str | None = None,
    target: str | None = None,
    arm: str | None = None,
    seed: int | None = None,
) -> pathlib.Path:
    """The folder of the finished target stage with that encoder, target, arm and seed.

    Args:
        encoder, target, arm, seed: None where the folder has only one that fits the others.

    Raises:
        InputError: no stage fits, or several do; the message lists the encoders, targets, arms and seeds.
    """
    store = Store(pathlib.Path(out))
    stages = [stage for stage in store.plan().get("stages", ()) if stage["kind"] == "target"]
    done = [stage for stage in stages if store.record(stage["id"])]
    if not done:
        raise InputError(f"--out {out}: has no finished target stage; expected the results folder of `run`")
    given = {name: value for name, value in zip(NAMED, (encoder, target, arm, seed), strict=True) if value is not None}
    found = [stage for stage in done if all(value in _values(stage, name) for name, value in given.items())]
    if len(found) == 1:
        return store.stage(found[0]["id"])
    asked = ", ".join(f"{name} {value}" for name, value in given.items()) or "none of them named"
    listed = "; ".join(f"{name}: {_listed(found or done, name)}" for name in NAMED)
    raise InputError(f"--out {out}: expected one stage, found {len(found)} ({asked}); there is {listed}")


def _values(stage: dict, name: str) -> list:
    """The encoder or seed of a stage, or its targets or arms, of which it may have several."""
    return [stage[name]] if name in stage else stage[f"{name}s"]


def _listed(stages: list[dict], name: str) -> str:
    """The different values that stages have."""
    return ", ".join(dict.fromkeys(str(value) for stage in stages for value in _values(stage, name)))
