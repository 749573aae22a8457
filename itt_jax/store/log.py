"""The log of a results folder: one line of JSON an event, appended by every worker."""

import contextlib
import json
import pathlib
import time
from typing import Any


def append(path: pathlib.Path, event: str, details: dict[str, Any]) -> None:
    """Append one line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps({"time": time.time(), "event": event, **details}, ensure_ascii=False)
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def read_events(path: pathlib.Path, start: int = 0) -> tuple[list[dict[str, Any]], int]:
    """The events from a position on, and the position after the last whole line.

    Lines that are not events are left out.
    """
    found: list[dict[str, Any]] = []
    if not path.is_file():
        return [], 0
    with path.open("rb") as file:
        file.seek(start)
        lines = file.read().splitlines(keepends=True)
    for line in lines:
        if not line.endswith(b"\n"):
            break  # it is being written
        start += len(line)
        with contextlib.suppress(ValueError, RecursionError):
            event = json.loads(line)
            if isinstance(event, dict) and isinstance(event.get("event"), str):
                found.append(event)
    return found, start
