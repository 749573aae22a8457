"""Answers as text for people, and as CSV, JSON and Parquet for machines."""

import csv
import decimal
import io
import json
import math
from typing import Any

import pyarrow as pa

MOST_ROWS = 200
"""Maximum number of rows in a table for people."""
MOST_CHARACTERS = 80
"""Maximum number of characters in one of its values."""
NUMERIC = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)


def rendered(answer: pa.Table, form: str) -> bytes:
    """An answer in one of FORMATS."""
    return FORMATS[form](answer)


def as_text(answer: pa.Table) -> bytes:
    """An aligned table; numbers have four digits, and a long one says how much is left out."""
    numeric = [any(is_kind(own) for is_kind in NUMERIC) for own in answer.schema.types]
    rows = [answer.column_names]
    rows += [[_shown(value) for value in row.values()] for row in answer.slice(0, MOST_ROWS).to_pylist()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        parts = zip(row, widths, numeric, strict=True)
        cells = (text.rjust(width) if right else text.ljust(width) for text, width, right in parts)
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "  ".join("-" * width for width in widths))
    left = len(answer) - MOST_ROWS
    if left > 0:
        lines.append(f"... and {left:,} more rows; --format csv, json or parquet has all")
    elif not len(answer):
        lines.append("(no rows)")
    return ("\n".join(lines) + "\n").encode()


def as_csv(answer: pa.Table) -> bytes:
    """CSV with every digit; missing values are empty, lists are JSON."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(answer.column_names)
    for row in answer.to_pylist():
        plain = map(_plain, row.values())
        writer.writerow([json.dumps(one, ensure_ascii=False) if isinstance(one, list | dict) else one for one in plain])
    return text.getvalue().encode()


def as_json(answer: pa.Table) -> bytes:
    """A JSON array with an object for each row; numbers that are not finite are null."""
    rows = [{name: _plain(value) for name, value in row.items()} for row in answer.to_pylist()]
    return (json.dumps(rows, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def as_parquet(answer: pa.Table) -> bytes:
    """A Parquet file."""
    import pyarrow.parquet as pq

    file = io.BytesIO()
    pq.write_table(answer, file)
    return file.getvalue()


FORMATS = {"table": as_text, "csv": as_csv, "json": as_json, "parquet": as_parquet}


def _plain(value: Any) -> Any:
    """A value as JSON has it; sums of whole numbers are wider than 64 bits and come as decimals."""
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def _shown(value: Any) -> str:
    plain = _plain(value)
    if plain is None:
        return ""
    if isinstance(plain, float):
        return f"{plain:.4g}"
    text = " ".join((json.dumps(plain) if isinstance(plain, list | dict) else str(plain)).split())
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"
