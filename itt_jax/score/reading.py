"""Text and JSON files of benchmarks, read with errors that name the file and the line."""

import pathlib
from typing import Any

from itt_jax.errors import InputError
from itt_jax.reading import text
from itt_jax.reading.text import ASCII_BLANKS, BYTE_ORDER_MARK, read_json


def read_lines(path: pathlib.Path) -> list[str]:
    """Lines without surrounding blanks; empty lines at the end are left out.

    Raises:
        InputError: as `reading.text.read_lines`, or a byte order mark anywhere inside the file.
    """
    lines = [line.strip(ASCII_BLANKS) for line in text.read_lines(path)]
    while lines and not lines[-1]:
        lines.pop()
    for number, line in enumerate(lines, 1):
        if BYTE_ORDER_MARK in line:
            raise InputError(f"{path}, line {number}: a byte order mark (U+FEFF) inside the file; remove it")
    return lines


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
    articles: Any = content.get("data") if isinstance(content, dict) else content
    try:
        paragraphs = [paragraph for article in articles for paragraph in article["paragraphs"]]
        for question in (question for paragraph in paragraphs for question in paragraph["qas"]):
            texts = [answer["text"] for answer in question["answers"]]
            if not texts or not all(isinstance(text, str) for text in [question["id"], *texts]):
                raise InputError(f"{path}: question {question['id']!r} has no answer, or one that is not text")
    except (KeyError, TypeError, AttributeError) as error:
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
