"""Text and JSON files of benchmarks, read with errors that name the file and the line."""

import json
import pathlib
from typing import Any

from itt_jax.errors import InputError


def read_text(path: pathlib.Path) -> str:
    """A file's text.

    Raises:
        InputError: there is no such file, or it is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as UTF-8 text: {error}") from error


def read_lines(path: pathlib.Path) -> list[str]:
    """Lines without surrounding space; empty lines at the end are left out."""
    text = read_text(path)
    return [line.strip() for line in text.rstrip().split("\n")] if text.strip() else []


def read_json(path: pathlib.Path) -> Any:
    """A JSON file in which no object has a key twice.

    Raises:
        InputError: as `read_text`, or not JSON, or a duplicate key.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            seen: set[str] = set()
            twice = next(key for key, _ in pairs if key in seen or seen.add(key))
            raise InputError(f"{path}: {twice!r} occurs twice")
        return found

    try:
        return json.loads(read_text(path), object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise InputError(f"{path}, line {error.lineno}: not JSON: {error.msg}") from error


def read_mapping(path: pathlib.Path, of: type, expected: str) -> dict[str, Any]:
    """A JSON object whose values are all of one type, `expected` in words.

    Raises:
        InputError: as `read_json`, or another form.
    """
    found = read_json(path)
    if not isinstance(found, dict):
        raise InputError(f"{path}: expected a JSON object by id, found {type(found).__name__}")
    for key, value in found.items():
        if not isinstance(value, of):
            raise InputError(f"{path}: {key!r}: expected {expected}, found {type(value).__name__}")
    return found


def read_right_ids(path: pathlib.Path) -> dict[str, list[str]]:
    """Query id -> ids of its right candidates, from a JSON file.

    Raises:
        InputError: another form, or a query without a right candidate.
    """
    found = read_mapping(path, list, "a list with the right id")
    for query, ids in found.items():
        if not ids or not all(isinstance(id, str) for id in ids):
            raise InputError(f"{path}: {query!r} has no right id")
    return {query: [id.strip() for id in ids] for query, ids in found.items()}


def paragraphs_of(content: Any, path: pathlib.Path) -> list[dict]:
    """The paragraphs of JSON content in SQuAD's form, in order; `path` is where it was read.

    Raises:
        InputError: another form, or a question without an answer.
    """
    articles = content.get("data") if isinstance(content, dict) else content
    try:
        paragraphs = [paragraph for article in articles for paragraph in article["paragraphs"]]
        for question in (question for paragraph in paragraphs for question in paragraph["qas"]):
            texts = [answer["text"] for answer in question["answers"]]
            if not texts or not all(isinstance(text, str) for text in [question["id"], *texts]):
                raise InputError(f"{path}: question {question['id']!r} has no answer, or one that is no text")
    except (KeyError, TypeError) as error:
        raise InputError(f"{path}: not SQuAD's form: data, paragraphs, qas, answers, text ({error})") from error
    return paragraphs


def read_answers(path: pathlib.Path) -> dict[str, list[str]]:
    """Question id -> right answers, from a file in SQuAD's form.

    Raises:
        InputError: another form, a question without an answer, or a duplicate id.
    """
    found: dict[str, list[str]] = {}
    for question in (own for paragraph in paragraphs_of(read_json(path), path) for own in paragraph["qas"]):
        if question["id"] in found:
            raise InputError(f"{path}: question id {question['id']!r} occurs twice")
        found[question["id"]] = [answer["text"] for answer in question["answers"]]
    if not found:
        raise InputError(f"{path}: no questions")
    return found
