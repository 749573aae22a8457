"""Where results come from, as the folder's plan describes it; every key is optional."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from itt_jax.data.contamination import Contamination


def contamination(found: Sequence[Contamination]) -> pd.DataFrame:
    """Training and dev rows whose text is evaluated, by source: how many were dropped, and what they share."""
    return pd.DataFrame(
        {
            "source": entry.source,
            "rule": entry.rule,
            "rows": entry.rows,
            "dropped": entry.dropped,
            "whole input evaluated": entry.whole_inputs,
            "fields shared": ", ".join(f"{name} {n:,}" for name, n in entry.fields.items() if n) or "none",
        }
        for entry in found
        if entry.dropped or entry.whole_inputs or any(entry.fields.values())
    )


def stages(plan: Mapping[str, Any]) -> pd.DataFrame:
    """Finished stages summed by encoder, kind and arm: steps, tokens, FLOPs, time, diverged seeds."""
    table = []
    for (encoder, kind, arms), own in _kinds_of_stages(plan).items():
        diverged = sorted({str(row.get("seed", "?")) for row in own if row.get("diverged")})
        table.append(
            {
                "encoder": encoder,
                "stage": kind,
                "arm": ", ".join(arms) or "shared",
                "stages": len(own),
                "steps": _thousands(_total(own, "steps")),
                "tokens": _thousands(_total(own, "tokens")),
                "TFLOP": _decimals(_total(own, "flops"), 1e12),
                "minutes": _decimals(_total(own, "wall_seconds"), 60),
                "diverged seeds": " ".join(diverged) or "none",
            }
        )
    return pd.DataFrame(table)


def stage_costs(plan: Mapping[str, Any]) -> pd.DataFrame:
    """`stages` in plain numbers: FLOPs and seconds are sums."""
    return pd.DataFrame(
        {
            "encoder": encoder,
            "stage": kind,
            "arm": ", ".join(arms) or "shared",
            "stages": len(own),
            **{name: _total(own, name) for name in ("steps", "tokens", "flops", "wall_seconds")},
            "diverged": sum(bool(row.get("diverged")) for row in own),
        }
        for (encoder, kind, arms), own in _kinds_of_stages(plan).items()
    )


def arms_of_stages(plan: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The arms of each row of `stages`; none where every arm shares them."""
    return [arms for _, _, arms in _kinds_of_stages(plan)]


def _kinds_of_stages(plan: Mapping[str, Any]) -> dict[tuple[str, str, tuple[str, ...]], list[dict]]:
    """(encoder, kind, arms) -> their finished stages."""
    found: dict[tuple, list[dict]] = {}
    for row in plan.get("stages_done", ()):
        if isinstance(row, dict):
            key = (row.get("encoder") or "–", row.get("kind") or "–", tuple(row.get("arms") or ()))
            found.setdefault(key, []).append(row)
    return found


def machines(plan: Mapping[str, Any]) -> list[str]:
    """Each combination of device, precision and library versions, one line each.

    Of a stage that was interrupted and continued with others, all.
    """
    rows = [row for row in [*plan.get("stages_done", ()), plan.get("provenance")] if isinstance(row, dict)]
    found: dict[str, None] = {}
    for own in [{**row, **before} for row in rows for before in (*(row.get("interrupted") or ()), {})]:
        texts = [f"{name}: {_flat(own[name])}" for name in ("device", "precision", "versions") if own.get(name)]
        if texts:
            found["; ".join(texts)] = None
    return list(found)


def precision(plan: Mapping[str, Any]) -> list[str]:
    """In which precision each encoder was trained and evaluated, and why, one line each."""
    asked = plan.get("precision") or {}
    lines = []
    for encoder, evaluated in asked.get("evaluation", {}).items():
        own = [row for row in plan.get("stages_done", ()) if row.get("encoder") == encoder]
        trained = sorted({row["precision"] for row in own if "precision" in row})
        parts = [f"trained in {' and '.join(trained)}"] if trained else []
        why = "chosen for the machine" if asked["asked"] == "auto" else "as the study asks"
        lines.append(f"{encoder}: {', '.join([*parts, f'evaluated in {evaluated}'])} ({why})")
    return lines


def _flat(value: Any) -> str:
    """A value as one line."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_flat(inner)}" for name, inner in value.items())
    return ", ".join(map(_flat, value)) if isinstance(value, list | tuple) else str(value)


def _total(rows: list[dict], name: str) -> float | None:
    values = [row[name] for row in rows if isinstance(row.get(name), int | float)]
    return sum(values) if values else None


def _thousands(value: float | None) -> str:
    return "–" if value is None else f"{int(value):,}"


def _decimals(value: float | None, unit: float) -> str:
    """The value in units, with two decimals, or two digits below 1."""
    return "–" if value is None else f"{value / unit:,.2f}" if value >= unit else f"{value / unit:.2g}"
