"""Finds the stages of a results folder by encoder, arm, target and seed."""

import pathlib

from itt_jax.errors import InputError
from itt_jax.store.folder import Store

NAMED = ("encoder", "target", "arm", "seed")
"""The fields that identify an evaluated stage within a study."""


def find_stage(
    out: pathlib.Path,
    encoder: str | None = None,
    target: str | None = None,
    arm: str | None = None,
    seed: int | None = None,
) -> pathlib.Path:
    """The folder of the finished target stage with that encoder, target, arm and seed.

    Args:
        encoder, target, arm, seed: None if the folder has only one that fits the others.

    Raises:
        InputError: no stage fits, or several do; the message lists the encoders, targets, arms and seeds.
    """
    store = Store(pathlib.Path(out))
    models = [
        {"encoder": stage["encoder"], **place, "seed": stage["seed"], "id": stage["id"]}
        for stage in store.plan().get("stages", ())
        for place in stage.get("evaluated_as", ())
    ]
    if not models:
        raise InputError(f"--out {out}: has no target stage; expected the results folder of `run`")
    made = [model for model in models if store.record(model["id"])]
    given = {name: value for name, value in zip(NAMED, (encoder, target, arm, seed), strict=True) if value is not None}
    found, planned = ([model for model in those if given.items() <= model.items()] for those in (made, models))
    ids = {model["id"] for model in found}  # arms that train alike share a stage
    if len(ids) == 1:
        return store.stage(ids.pop())
    asked = ", ".join(f"{name} {value}" for name, value in given.items()) or "none of them named"
    if planned and not found:
        raise InputError(
            f"--out {out}: the stage asked for ({asked}) is planned and not made yet; `run` with the study's --config "
            "and this --out makes it"
        )
    listed = "; ".join(f"{name}: {_listed(found or made or models, name)}" for name in NAMED)
    raise InputError(f"--out {out}: expected one stage, found {len(ids)} ({asked}); there is {listed}")


def _listed(models: list[dict], name: str) -> str:
    """The distinct values of a field."""
    return ", ".join(dict.fromkeys(str(model[name]) for model in models))
