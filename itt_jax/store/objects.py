"""JSON objects of a results folder; errors name a damaged file, or a field of the wrong type, in one line."""

import json
import pathlib
import zlib
from collections.abc import Mapping
from typing import Any

from itt_jax import files
from itt_jax.errors import InputError

Types = Mapping[str, "type | tuple[type, ...] | list[Types]"]
"""Field -> its type; a list with the `Types` of its entries, which are objects."""

NUMBER = (int, float)
STAGE: Types = {
    "id": str,
    "kind": str,
    "encoder": str,
    "targets": list,
    "arms": list,
    "seed": int,
    "evaluated_as": list,
}
USE: Types = {"target": str, "arm": str}
RECORD: Types = {
    **STAGE,
    "used_by": [USE],
    "steps": int,
    "tokens": NUMBER,
    "flops": NUMBER,
    "flops_of_grid": NUMBER,
    "diverged": bool,
    "losses": list,
    "dev_history": list,
    "dev_checks": [{"task": str, "metric": str, "digest": str}],
    "wall_seconds": NUMBER,
    "device": str,
    "precision": str,
    "versions": dict,
    "interrupted": [{"steps": int, "device": str, "versions": dict}],
}
PLAN: Types = {
    "schema": int,
    "study_id": str,
    "name": str,
    "description": str,
    "study": dict,
    "evaluation": dict,
    "encoders": list,
    "arms": list,
    "targets": list,
    "seeds": list,
    "smallest_effect": NUMBER,
    "declared": dict,
    "stages": [STAGE],
    "cells": int,
    "cell_ids": list,
    "precision": dict,
    "rows": list,
    "inputs": dict,
    "left_out": dict,
    "skipped": list,
    "contaminated": list,
    "contamination": list,
    "stages_done": [RECORD],
    "provenance": dict,
}
CHECKSUM = "checksum"
"""The field with the checksum of all others."""
DECLARED: Types = {"hash": str, "time": NUMBER, "target_stages": int, "content": dict, "changes": list}
LOOK: Types = {"seeds": int, "time": NUMBER, "stop": bool, "questions": list}


def object_text(value: Mapping[str, Any]) -> str:
    """The text of a file that holds an object, with its checksum; a field that is a list of texts is one line."""
    fields = {**value, CHECKSUM: _checksum(value)}.items()
    lines = (f" {json.dumps(name, ensure_ascii=False)}: {_field_text(own)}" for name, own in fields)
    return "{\n" + ",\n".join(lines) + "\n}\n"


def write_object(path: pathlib.Path, value: Mapping[str, Any]) -> None:
    """Write an object."""
    files.write_text(path, object_text(value))


def read_object(path: pathlib.Path, types: Types) -> dict[str, Any]:
    """The object in a file. Fields may be absent or null; further ones may be there.

    Raises:
        InputError: it cannot be read, is not a JSON object, differs from its checksum (earlier versions wrote none), or
            a field has the wrong type.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: not JSON ({error})") from error
    return object_of(content, types, str(path))


def object_of(content: bytes, types: Types, where: str) -> dict[str, Any]:
    """The object in the content of a file, as `read_object`.

    Args:
        where: the name of the file, for errors.
    """
    try:
        found = json.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not JSON ({error})") from error
    if not isinstance(found, dict):
        raise InputError(f"{where}: holds a {type(found).__name__}, expected an object")
    checksum = found.pop(CHECKSUM, None)
    if checksum not in (None, _checksum(found)):
        raise InputError(
            f"{where}: its field {CHECKSUM!r} does not fit: the file is damaged, was edited, or was written by `merge` "
            "of an earlier version, which copied the field; merge again, or remove the field if the rest is right"
        )
    _check(found, types, f"{where}: ")
    return found


def _field_text(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(own, str) for own in value):
        return json.dumps(value, ensure_ascii=False)  # the ids of all cells, hundreds of thousands
    return json.dumps(value, indent=1, ensure_ascii=False).replace("\n", "\n ")


def _checksum(value: Mapping[str, Any]) -> str:
    """The CRC-32 of an object as JSON."""
    return f"{zlib.crc32(json.dumps(value).encode()):08x}"


def _check(found: dict[str, Any], types: Types, where: str) -> None:
    for name, expected in types.items():
        value = found.get(name)
        if value is None:
            continue
        one: type | tuple[type, ...] = list if isinstance(expected, list) else expected
        if not isinstance(value, one) or (isinstance(value, bool) and one is not bool):
            raise InputError(f"{where}{name}: found {value!r:.80}, expected {_named(one)}")
        if isinstance(expected, list) and isinstance(value, list):
            for number, own in enumerate(value):
                if not isinstance(own, dict):
                    raise InputError(f"{where}{name}[{number}]: found {own!r:.80}, expected an object")
                _check(own, expected[0], f"{where}{name}[{number}].")


def _named(one: type | tuple[type, ...]) -> str:
    names: dict[Any, str] = {
        str: "text",
        int: "a whole number",
        bool: "true or false",
        list: "a list",
        dict: "an object",
    }
    return "a number" if one == NUMBER else names[one]
