"""Precision: what every worker on a folder computes in, and whether a study asks for another one."""

import dataclasses
from collections.abc import Iterable

from itt_jax.config import Precision, Study
from itt_jax.errors import InputError
from itt_jax.models import Encoder, Head
from itt_jax.store import Store
from itt_jax.train.precision import ARITHMETICS, Arithmetic, Module, computing_in, evaluation_arithmetic


def computed_as(module: Module, study: Study, arithmetic: Arithmetic) -> Module:
    """The encoder, or the head with its encoder, in an arithmetic, with its layers run as the study asks."""
    if isinstance(module, Head):
        return dataclasses.replace(module, encoder=computed_as(module.encoder, study, arithmetic))
    own = computing_in(module, arithmetic)
    return dataclasses.replace(own, remat=study.remat, scan_layers=study.scan_layers)


def agreed_arithmetic(store: Store, model: str, encoder: Encoder, precision: Precision) -> Arithmetic:
    """The arithmetic in which all workers on a folder evaluate a model; the first one chooses it for its machine."""
    return ARITHMETICS[store.agreed.precision(model, lambda: evaluation_arithmetic(encoder, precision).name)]


def check_precision(store: Store, precision: Precision, models: Iterable[str], stages: Iterable[str] = ()) -> None:
    """Check that the folder's parts of a study were computed in the requested precision.

    Args:
        models: names of encoders. stages: ids.

    Raises:
        InputError: they were computed in another one.
    """
    if precision == "auto":
        return
    found = {f"{model} is evaluated": own for model, own in store.agreed.precisions(models).items()}
    for record in filter(None, map(store.record, stages)):
        if "precision" in record:
            about = f"{record.get('encoder')}, {record.get('kind')}"
            found[f"stage {record['id']} ({about}) was trained"] = record["precision"]
    for what, own in found.items():
        if own != precision:
            raise InputError(
                f"--out {store.out}: {what} in {own} there, found precision {precision!r}; expected {own!r}, "
                "'auto', or another --out"
            )
