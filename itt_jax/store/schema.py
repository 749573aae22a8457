"""The schema of a results folder, and how an earlier one is read.

The results of earlier schemas can be read and reported, but nothing is added to them. Schema 1 (its plan.json states
none) has other names, from which stage and cell ids are made too; CHANGELOG.md lists them. Schema 2 has one file for
each cell.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = 3
NAMED_SINCE = 2
"""The first schema with the current names."""

# Names of schema 1 -> names of schema 2.
RENAMED_COLUMNS = {"adapted": "in_domain"}
RENAMED_ARMS = {"matched": "matched_steps"}
RENAMED_PLAN = {"overlap": "contamination", "seen": "contaminated"}
RENAMED_RECORD = {
    "updates": "steps",
    "best_update": "best_step",
    "real_token_share": "packing_efficiency",
    "degenerate": "diverged",
}
DUPLICATES = ("purpose", "model")
"""Former keys of records with the meaning of "kind" and "encoder"."""


def schema_of(plan: dict[str, Any]) -> int:
    """The schema of the folder whose plan.json is given."""
    return plan.get("schema", 1)


def current_results(frame: "pd.DataFrame") -> "pd.DataFrame":
    """The rows of a results.parquet of schema 1 with the current names."""
    return frame.rename(columns=RENAMED_COLUMNS).assign(arm=frame["arm"].replace(RENAMED_ARMS))


def current_plan(plan: dict[str, Any]) -> dict[str, Any]:
    """A plan.json of schema 1 with the current names, without its arms, of which it holds only the names."""
    current = {RENAMED_PLAN.get(key, key): value for key, value in plan.items() if key != "arms"}
    return current | {"stages_done": [_current_record(record) for record in plan.get("stages_done", ())]}


def _current_record(record: dict[str, Any]) -> dict[str, Any]:
    current = {RENAMED_RECORD.get(key, key): value for key, value in record.items() if key not in DUPLICATES}
    named = [arm for arm in current.pop("arm", "").split(", ") if arm]
    return current | {"arms": [RENAMED_ARMS.get(arm, arm) for arm in named]}
