"""MultiCheckList (XTREME-R, arXiv 2104.07412): six minimum-functionality tests of question answering in 50 languages.

Questions are generated from the published templates, 200 cases per test. A case is one draw of values with every
context and question of its test, and fails if one of its answers is wrong. The score is the error rate: the share of
cases that fail.

Figures are comparable with each other, but not to the digit with published ones, because the official generator draws
from the checklist library's names (Wikidata) and from NumPy's global state over all languages in turn, which cannot be
reproduced. Here a case is the same in every language, names come from one small list, a test has its full number of
distinct cases, translations that cannot be answered are left out (`checklist_templates`), and the translation is chosen
by its list of English values with one rule instead of a rule per language.
"""

import dataclasses
import json
import pathlib
import re
from collections.abc import Iterable, Iterator, Mapping

from itt_jax.errors import InputError, unknown
from itt_jax.score.checklist_cases import cases, render
from itt_jax.score.checklist_templates import Templates, read_templates
from itt_jax.score.reading import read_mapping
from itt_jax.score.scores import Average, Scores

SAMPLES = 200
SEED = 42
_ATTEMPTS = 10
"""Cases tried per case wanted; after that a language has fewer."""


@dataclasses.dataclass(frozen=True)
class CheckQuestion:
    """One generated question; ids are the same in every language."""

    id: str
    test: str
    case: int
    context: str
    question: str
    answer: str


def generate(
    templates: str | pathlib.Path, languages: Iterable[str] | None = None, samples: int = SAMPLES, seed: int = SEED
) -> dict[str, list[CheckQuestion]]:
    """Language -> its questions, ordered by test and case.

    Args:
        templates: the published `checklist_templates.tsv`.
        languages: default: all languages of the templates.
        samples: number of cases per test.

    Raises:
        InputError: the file is missing or malformed, or a language is unknown.
    """
    read = read_templates(pathlib.Path(templates))
    wanted = tuple(languages or read.languages)
    for language in wanted:
        if language not in read.languages:
            raise unknown("language of MultiCheckList", language, read.languages)
    return {language: list(_questions(read, language, samples, seed)) for language in wanted}


def _questions(templates: Templates, language: str, samples: int, seed: int) -> Iterator[CheckQuestion]:
    for test, content in templates.tests.items():
        seen: set[tuple] = set()
        for case in cases(templates, test, seed):
            if len(seen) == samples or case.number == _ATTEMPTS * samples:
                break
            triples = render(case, content, language)
            if not triples or tuple(triples) in seen:
                continue
            seen.add(tuple(triples))
            for i, (context, question, answer) in enumerate(triples):
                yield CheckQuestion(f"{test}-{case.number:05d}-{i:02d}", test, case.number, context, question, answer)


def write_questions(
    templates: str | pathlib.Path, folder: str | pathlib.Path, samples: int = SAMPLES
) -> list[pathlib.Path]:
    """Write each language's questions as FOLDER/test-LANGUAGE.json in SQuAD's form; returns the files.

    `answer_start` is -1 if the context does not contain the answer verbatim (an inflected form, for example).

    Raises:
        InputError: as `generate`.
    """
    pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
    paths = []
    for language, questions in generate(templates, samples=samples).items():
        path = pathlib.Path(folder) / _file(language)
        content = {"version": f"multichecklist, seed {SEED}", "data": _articles(questions)}
        path.write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")
        paths.append(path)
    return paths


def _file(language: str) -> str:
    return f"test-{language}.json"


def _articles(questions: list[CheckQuestion]) -> list[dict]:
    articles: dict[str, dict[tuple[int, str], list[dict]]] = {}
    for question in questions:
        answer = {"text": question.answer, "answer_start": question.context.find(question.answer)}
        asked = {"id": question.id, "question": question.question, "answers": [answer]}
        articles.setdefault(question.test, {}).setdefault((question.case, question.context), []).append(asked)
    return [
        {
            "title": test,
            "paragraphs": [{"context": context, "qas": asked} for (_, context), asked in by_context.items()],
        }
        for test, by_context in articles.items()
    ]


def error_rates(questions: Iterable[CheckQuestion], predictions: Mapping[str, str], language: str) -> dict[str, float]:
    """Test -> share of cases with a wrong answer, in [0, 1]; a missing prediction is wrong."""
    failed: dict[str, dict[int, bool]] = {}
    for question in questions:
        answer = predictions.get(question.id)
        wrong = answer is None or clean(answer, language) != clean(question.answer, language)
        by_case = failed.setdefault(question.test, {})
        by_case[question.case] = by_case.get(question.case, False) or wrong
    return {test: sum(by_case.values()) / len(by_case) for test, by_case in failed.items()}


def score(predictions: str | pathlib.Path, templates: str | pathlib.Path, samples: int = SAMPLES) -> Scores:
    """Error rates, in percent, of a folder of predictions: files test-LANGUAGE.json of {question id: answer}.

    Languages without a file are reported as absent. The average is the mean over tests of their means over languages.

    Raises:
        InputError: no language has a file, a file is malformed, or none of its ids belongs to a question.
    """
    folder = pathlib.Path(predictions)
    every = read_templates(pathlib.Path(templates)).languages
    there = tuple(language for language in every if (folder / _file(language)).is_file())
    if not there:
        raise InputError(f"{folder}: no predictions; expected {_file('LANGUAGE')} for one of {' '.join(every)}")
    notes = ["cases are not those of the official generator: compare only figures computed by this program"]
    found: dict[str, dict[str, dict[str, float]]] = {}
    for language, questions in generate(templates, there, samples).items():
        answers = read_mapping(folder / _file(language), str, "a string")
        missing = sum(question.id not in answers for question in questions)
        if missing == len(questions):
            raise InputError(f"{folder / _file(language)}: none of its ids belongs to a question; see `score --write`")
        if missing:
            notes.append(f"{language}: {missing} of {len(questions)} questions have no prediction and count as wrong")
        for test, rate in error_rates(questions, answers, language).items():
            found.setdefault(test, {})[language] = {"error_rate": 100 * rate}
    if len(there) < len(every):
        notes.append(f"languages without predictions: {' '.join(code for code in every if code not in there)}")
    figures = {test: sum(row["error_rate"] for row in rows.values()) / len(rows) for test, rows in found.items()}
    return Scores(
        benchmark="multichecklist",
        languages=found,
        tasks={test: {"error_rate": figure} for test, figure in figures.items()},
        figures=figures,
        groups={},
        overall=Average.over(figures),
        notes=tuple(notes),
    )


# Words before a noun that an answer may lack, by language (the published `clean`).
_ARTICLES = {
    "af": r"(’n)\b",
    "ar": "ال",
    "bn": r"\b(একটি|একজন)",
    "de": r"\b(ein|eine|einen)\b",
    "el": r"\b(Ο|ένα|μια)\b",
    "en": r"\b(a|an|the|in|at)\b",
    "es": r"\b(un|una|unos|unas|el|la|los|las)\b",
    "eu": r"\b(bat)\b",
    "fa": r"\b(یک)\b",
    "fr": r"\b(un|une|le|la|en)\b",
    "hi": r"\b(एक)",
    "hu": r"\b(egy)\b",
    "it": r"\b(un|una)\b",
    "ml": r"\b(ഒരു)",
    "mr": r"\b(एक)",
    "my": r"\b(တစ်ဦး)",
    "nl": r"\b(een)\b",
    "pa": r"\b(ਇੱਕ|ਇਕ)",
    "pt": r"\b(um|uma)\b",
    "ta": r"\b(ஒரு)",
    "tl": r"\b(Si)\b",
    "tr": r"\b(bir)\b",
    "vi": r"\b(một)\b",
    "wo": r"\b(dafa)\b",
    "yo": r"\b(kan)\b",
}
_PUNCTUATION = {"bn": "৷", "hi": "৷", "pa": "।", "pl": "„”", "ur": "\u200f"}


def clean(answer: str, language: str) -> str:
    """An answer for comparison: without articles and surrounding punctuation and space; case is kept."""
    if language in _ARTICLES:
        answer = re.sub(_ARTICLES[language], " ", answer)
    return answer.strip(",. " + _PUNCTUATION.get(language, ""))
