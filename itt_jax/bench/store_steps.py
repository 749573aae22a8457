"""One step of `bench store`: python -m itt_jax.bench.store_steps STEP FOLDER CELLS."""

import itertools
import json
import pathlib
import resource
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from itt_jax.analysis import analyse as analysed
from itt_jax.analysis import panels
from itt_jax.store import Store

ITEMS = 200
FORMS = [("clean", 0.0, 0)] + [(f"noise {k}", level, 0) for k in range(8) for level in (0.05, 0.1, 0.2)]
ARMS, SEEDS, LANGUAGES = ("direct", "itt", "matched_steps"), range(5), ("en", "de", "ru", "tr", "zh")
GROUP = len(ARMS) * len(SEEDS) * len(FORMS)
"""Cells of one encoder, target and language."""


def blocks(cells: int) -> Iterator[list[dict[str, Any]]]:
    """Rows of approximately `cells` cells, those of one stage on the same rows together."""
    for number in range(max(1, round(cells / GROUP))):
        pair, language = number // len(LANGUAGES), LANGUAGES[number % len(LANGUAGES)]
        place: dict[str, Any] = {
            "model": f"encoder {pair % 4}",
            "target": f"target {pair // 4}",
            "task": f"task {pair // 4}",
        }
        place |= {"split": "test", "domain": "general", "language": language}
        place |= {"source_language": language == "en"}
        for at, (arm, seed) in enumerate(itertools.product(ARMS, SEEDS)):
            own = place | {"arm": arm, "seed": seed, "in_domain": True, "metric": "accuracy", "chance": 0.5, "n": ITEMS}
            own |= {"stage": f"{number:010d}{at:06d}", "edit_rate": 0.1, "token_change_rate": 0.2, "n_changed": ITEMS}
            own |= {"n_not_applicable": 0, "n_words_lost": 0, "changes_label": False, "attack": False, "value": 0.0}
            forms = [dict(zip(("perturbation", "severity", "replicate"), form, strict=True)) for form in FORMS]
            yield [own | form | {"cell": f"{number:06d}{at:04d}{k:06d}"} for k, form in enumerate(forms)]


def write(store: Store, cells: int) -> np.ndarray:
    """Write the cells; returns the seconds (`_clock`) without those for generating them."""
    random, seconds = np.random.default_rng(0), np.zeros(2)
    hard, labels = random.normal(size=ITEMS), np.arange(ITEMS, dtype=np.int32) % 2
    for rows in blocks(cells):
        ids = [f"{rows[0]['task']}/test/{i}" for i in range(ITEMS)]
        made = []
        for row in rows:
            odds = 1 + hard + random.normal(size=ITEMS) - 5 * row["severity"] + 0.5 * (row["arm"] == "itt")
            right = random.random(ITEMS) < 1 / (1 + np.exp(-odds))
            scores = [*np.stack([-odds, odds], 1).astype(np.float32)]
            columns = {"item_id": ids, "prediction": np.where(right, labels, 1 - labels), "scores": scores}
            flags = {"changed": np.ones(ITEMS, bool), "applicable": np.ones(ITEMS, bool)}
            made.append((row | {"value": float(right.mean())}, columns | {"label": labels} | flags))
        began = _clock()
        store.cells.write(made)
        seconds += _clock() - began
    return seconds


def results(store: Store, cells: int) -> None:
    """Make results.parquet, as a run does now and then."""
    store.write_results({"cell": row["cell"]} for rows in blocks(cells) for row in rows)


def plan(store: Store, cells: int) -> None:
    """Check every byte and look up every cell, as `plan` and `run` do first."""
    store.check()
    assert all(store.has_cell(row["cell"]) for rows in blocks(cells) for row in rows)


def read(store: Store, cells: int) -> None:
    """Read the input of the analysis."""
    _, _, found = panels.read(store.out)
    assert found is not None and len(found) >= cells // 2


def analyse(store: Store, cells: int) -> None:
    """Read and analyse."""
    analysed(store.out)


STEPS: dict[str, Callable[[Store, int], np.ndarray | None]] = {
    own.__name__: own for own in (write, results, plan, read, analyse)
}


def _clock() -> np.ndarray:
    """Seconds that passed, and seconds of processor time, from some moment on."""
    return np.array([time.perf_counter(), time.process_time()])


def main(step: str, folder: str, cells: str) -> None:
    """Print seconds and peak memory of one step."""
    began = _clock()
    found = STEPS[step](Store(pathlib.Path(folder)), int(cells))
    seconds, cpu = _clock() - began if found is None else found
    mib, cells_made = (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        max(1, round(int(cells) / GROUP)) * GROUP,
    )
    print(json.dumps({"seconds": seconds, "cpu": cpu, "mib": mib, "cells": cells_made}))


if __name__ == "__main__":
    main(*sys.argv[1:])
