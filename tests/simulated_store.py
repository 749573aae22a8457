"""Results folders simulated from a known model of seeds and items, for the tests of analysis and report."""

import itertools
import pathlib
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from itt_jax.store import Store

ARM_EFFECT = {"direct": 0.0, "matched_steps": 0.2, "itt": 0.7}
"""Log-odds of a right answer that an arm adds."""
LANGUAGE_COST = 0.3
"""Log-odds that the second language costs, and each later one more than the one before."""


def change_cells(out: pathlib.Path, changes: Mapping[str, Callable[[pd.DataFrame], pd.DataFrame | None]]) -> None:
    """Replace the examples of some cells by what a function makes of them; None removes the cell."""
    store = Store(out)
    cells, held = store.cells, {}
    for cell in cells.ids():
        held.setdefault(cells.file(cell), []).append(cell)
    for path in {cells.file(cell) for cell in changes}:
        own = [{"cell": cell} for cell in held[path]]
        made = [(row, changes.get(row["cell"], _same)(store.read_cell(row["cell"]))) for row in cells.rows(own)]
        path.unlink()
        cells.write([(row, columns_of(table)) for row, table in made if table is not None])


def _same(cell: pd.DataFrame) -> pd.DataFrame:
    return cell


def constant(cell: pd.DataFrame) -> pd.DataFrame:
    """The cell of a model that always predicts the first class."""
    return cell.assign(prediction=np.zeros(len(cell), "int32"))


def columns_of(table: pd.DataFrame) -> dict:
    """The columns of a cell as they are stored."""
    return {name: column.tolist() if column.dtype == object else column.to_numpy() for name, column in table.items()}


def write_store(
    out: pathlib.Path,
    *,
    models=("bert",),
    arms=("direct", "matched_steps", "itt"),
    targets=("sentiment",),
    languages=("en", "de", "zh"),
    domains=("general", "legal"),
    noises=(("swap", (0.1, 0.2)), ("keyboard", (0.1, 0.2))),
    seeds=(0, 1, 2),
    items=60,
    replicates=1,
    metric="accuracy",
    robust=0.0,
    base=1.0,
    classes=2,
    noise_seed=0,
    names=None,
    dev=0,
    attacks=(),
) -> pathlib.Path:
    """Write the results and cells of a study in which noise costs severity x 5 log-odds.

    Standard deviations, in log-odds: seeds 0.3, items 1.0, their interaction 0.5.

    Args:
        robust: log-odds that the arm "itt" regains at every severity.
        names: arm -> its name in the folder, where that differs.
        attacks: those of the noises that are attacks.
        dev: items of the dev rows of each language and domain, in cells of their own (selection.parquet); 0 for none.
    """
    random, dev_random = np.random.default_rng(noise_seed), np.random.default_rng([noise_seed, 1])
    store, rows, selection = Store(out), [], []
    conditions = [("clean", 0.0, 0)]
    conditions += [(name, level, r) for name, levels in noises for level in levels for r in range(replicates)]
    hard = {domain: random.normal(0, 1.0, items) for domain in domains}
    label, dev_label = np.arange(items) % classes, np.arange(dev) % classes
    for model, target, seed, arm in itertools.product(models, targets, seeds, arms):
        level = base + ARM_EFFECT.get(arm, 0) + random.normal(0, 0.3)
        for domain in domains:
            own, prefix = hard[domain] + random.normal(0, 0.5, items), f"{target}/{domain}"
            for number, language in enumerate(languages):
                place = {"model": model, "arm": (names or {}).get(arm, arm), "target": target}
                place |= {"task": f"{target}_{domain}", "language": language, "domain": domain}
                place |= {"seed": seed, "in_domain": domain == domains[0], "source_language": number == 0}
                if dev:
                    odds = level - LANGUAGE_COST * number + dev_random.normal(0, 1.1, dev)
                    row, table = _cell(dev_random, odds, dev_label, metric, classes, f"{prefix}/dev")
                    row |= place | {"split": "dev", "perturbation": "clean", "severity": 0.0, "replicate": 0}
                    selection.append(row | {"cell": f"d{len(selection):05d}"})
                    store.cells.write([(selection[-1], columns_of(table))])
                made = []
                for noise, severity, replicate in conditions:
                    odds = level + own - 5 * severity
                    odds += robust * (arm == "itt" and noise != "clean") - LANGUAGE_COST * number
                    row, table = _cell(random, odds, label, metric, classes, prefix)
                    row |= place | {"split": "test", "perturbation": noise, "severity": severity}
                    rows.append(row | {"replicate": replicate, "cell": f"c{len(rows):05d}"})
                    if noise in attacks:
                        rows[-1] |= {"attack": True, "attacked": items, "success_rate": 0.5}
                        table = table.assign(succeeded=table["prediction"] != table["label"], queries=9, edits=2)
                        store.cells.write([(rows[-1], columns_of(table))])
                    else:
                        made.append((rows[-1], columns_of(table)))
                store.cells.write(made)
    store.cells.save_index()
    pd.DataFrame(rows).to_parquet(out / "results.parquet")
    if selection:
        pd.DataFrame(selection).to_parquet(out / "selection.parquet")
    return out


def _cell(random, odds, label, metric, classes, prefix) -> tuple[dict, pd.DataFrame]:
    """The part of a cell's results row that follows from its table, and the table."""
    n = len(label)
    if metric == "accuracy":
        right = random.random(n) < 1 / (1 + np.exp(-odds))
        prediction = np.where(right, label, (label + 1) % classes).astype(np.int32)
        value, truth = right.mean(), label.astype(np.int32)
    else:
        truth = (label + np.linspace(0, 1, n)).astype(np.float32)
        prediction = (truth * odds.mean() / 4 + random.normal(0, 1, n)).astype(np.float32)
        value = np.corrcoef(prediction, truth)[0, 1]
    changed = random.random(n) < 0.9
    table = pd.DataFrame(
        {
            "item_id": [f"{prefix}/{i}" for i in range(n)],
            "prediction": prediction,
            "scores": [[0.1, 0.9]] * n,
            "label": truth,
            "changed": changed,
            "applicable": np.ones(n, bool),
        }
    )
    row = {"metric": metric, "value": float(value), "n": n, "n_changed": int(changed.sum()), "n_not_applicable": 0}
    row |= {"chance": 1 / classes if metric == "accuracy" else 0.0, "edit_rate": 0.1, "token_change_rate": 0.2}
    return row, table
