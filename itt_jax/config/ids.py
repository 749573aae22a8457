"""Content hashes, by which finished work is recognised."""

import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Mapping
from typing import Any

LATER = {"later": True}
"""Metadata of a field that is excluded from ids at its default, so ids from before the field existed stay valid."""


def canonical(value: Any) -> Any:
    """`value` as JSON data in a fixed order, from which ids are made."""
    if dataclasses.is_dataclass(value):
        fields = {
            field.name: canonical(getattr(value, field.name))
            for field in dataclasses.fields(value)
            if not (field.metadata.get("later") and getattr(value, field.name) == field.default)
        }
        return {"type": type(value).__name__, **fields}
    if isinstance(value, Mapping):
        return {str(key): canonical(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, list | tuple):
        return [canonical(element) for element in value]
    if isinstance(value, pathlib.PurePath):
        return str(value)
    return value


def content_id(value: Any) -> str:
    """A hash of everything in `value`: 16 hexadecimal digits."""
    text = json.dumps(canonical(value), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
