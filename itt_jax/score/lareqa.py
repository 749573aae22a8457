"""Right answers of LAReQA, from XQuAD-R's published files (arXiv 2004.05484; `utils_lareqa.py` of XTREME)."""

import pathlib
from collections.abc import Sequence
from typing import Any

from itt_jax.errors import InputError
from itt_jax.score.reading import paragraphs_of, read_json, read_right_ids


def right_answers(
    folder: pathlib.Path, languages: Sequence[str], searched: Sequence[str] = ()
) -> dict[str, dict[str, list[str]]]:
    """Language -> question id -> ids of its right candidates in all languages.

    A candidate is a sentence. It is right for a question if its text equals that of the sentence, in the same
    paragraph, in which the answer starts. A question whose answer starts in no sentence is left out in that language.

    Args:
        languages: languages of the questions.
        searched: further languages of candidates, if they have files.

    Raises:
        InputError: a file is missing, or has neither XQuAD-R's format nor that of right ids (see `layout`).
    """
    candidates: dict[str, list[str]] = {}
    questions: dict[str, dict[str, list[str]]] = {}
    for language in dict.fromkeys((*languages, *searched)):
        path = _file(folder, language)
        if path is None:
            if language not in languages:
                continue
            path = folder / "lareqa" / f"{language}.json"
            raise InputError(f"{path}: no such file; lareqa is scored with XQuAD-R's published files, one per language")
        content = read_json(path)
        if isinstance(content, dict) and "data" not in content:
            questions[language] = read_right_ids(path)
            continue
        questions[language] = _sentences(content, path, language)
        for id, right in questions[language].items():
            candidates.setdefault(id, []).extend(right)
    return {
        language: {id: candidates.get(id, right) for id, right in questions[language].items()} for language in languages
    }


def _file(folder: pathlib.Path, language: str) -> pathlib.Path | None:
    places = folder / "lareqa" / f"{language}.json", folder / "lareqa" / f"test-{language}.json"
    return next((path for path in places if path.is_file()), None)


def _sentences(content: Any, path: pathlib.Path, language: str) -> dict[str, list[str]]:
    """Question id -> ids of the right sentences of this language."""
    found: dict[str, list[str]] = {}
    for number, paragraph in enumerate(paragraphs_of(content, path), start=1):
        if "sentence_breaks" not in paragraph:
            raise InputError(f"{path}: paragraph {number} has no sentence_breaks; is it XQuAD-R's?")
        try:
            found |= _in_paragraph(paragraph, f"{language}_{number}")
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}: paragraph {number} is not XQuAD-R's ({error})") from error
    return found


def _in_paragraph(paragraph: dict, prefix: str) -> dict[str, list[str]]:
    breaks = paragraph["sentence_breaks"]
    sentences = [paragraph["context"][start:end] for start, end in breaks]
    found = {}
    for question in paragraph["qas"]:
        position = question["answers"][0]["answer_start"]
        held = next((i for i, (start, end) in enumerate(breaks) if start <= position < end), None)
        if held is not None:
            same = [i for i, sentence in enumerate(sentences) if sentence == sentences[held]]
            found[question["id"]] = [f"{prefix}_{i}" for i in same]
    return found
