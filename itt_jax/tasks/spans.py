"""Question answering: SQuAD and its cross-lingual tests."""

from itt_jax.data.sources import Hub, LocalSquad
from itt_jax.data.sources.values import Columns
from itt_jax.tasks.task import Task

XQUAD_LANGUAGES = ("en", "ar", "de", "el", "es", "hi", "ro", "ru", "th", "tr", "vi", "zh")
MLQA_LANGUAGES = ("en", "ar", "de", "es", "hi", "vi", "zh")
TYDIQA_LANGUAGES = {
    "en": "english",
    "ar": "arabic",
    "bn": "bengali",
    "fi": "finnish",
    "id": "indonesian",
    "ko": "korean",
    "ru": "russian",
    "sw": "swahili",
    "te": "telugu",
}
_FIELDS = ("question", "context")
_COLUMNS: Columns = {name: name for name in _FIELDS}
_MLQA = "crosslingual/mlqa/MLQA_V1"
_TYDIQA = "crosslingual/tydiqa/tydiqa-goldp-v1.1"


def _span(name: str, *sources, metric: str = "squad_f1", **more) -> Task:
    return Task(name, "question_answering", _FIELDS, sources, metric=metric, **more)


def _mlqa(name: str, context: str, question: str, description: str, **more) -> Task:
    """MLQA with the languages of context and question; "{language}" is the language of the rows."""
    return _span(
        name,
        LocalSquad(
            {split: f"{_MLQA}/{split}/{split}-context-{context}-question-{question}.json" for split in ("dev", "test")}
        ),
        Hub(
            "google/xtreme",
            _COLUMNS,
            f"MLQA.{context}.{question}",
            "answers",
            splits={"dev": "validation", "test": "test"},
            index="id",
        ),
        metric="mlqa_f1",
        parallel=True,
        description=description,
        note="CC BY-SA 3.0; trained on SQuAD. Each question exists in some of the languages; items are matched by id",
        **more,
    )


SPANS = (
    _span(
        "squad",
        LocalSquad(
            {"train": "english/squad/train-v1.1.json", "test": "english/squad/dev-v1.1.json"},
            slices={"dev": "train[95%:]", "train": "train[0%:95%]"},
        ),
        Hub(
            "rajpurkar/squad",
            _COLUMNS,
            label="answers",
            splits={"train": "train", "test": "validation"},
            index="id",
            slices={"dev": "train[95%:]", "train": "train[0%:95%]"},
        ),
        description="SQuAD 1.1, the training set for XQuAD, MLQA and LAReQA",
        note="CC BY-SA 4.0; test is the published dev. Without SQuAD, train on tydiqa's English rows instead",
    ),
    _span(
        "xquad",
        LocalSquad({"test": "crosslingual/xquad/xquad.{language}.json"}),
        Hub("google/xquad", _COLUMNS, "xquad.{language}", "answers", splits={"test": "validation"}, index="id"),
        languages=XQUAD_LANGUAGES,
        parallel=True,
        description="XQuAD: 1,190 questions from SQuAD's dev, translated into 11 languages",
        note="CC BY-SA 4.0; trained on SQuAD",
    ),
    _mlqa("mlqa", "{language}", "{language}", "MLQA: questions on Wikipedia in 7 languages", languages=MLQA_LANGUAGES),
    _mlqa(
        "mlqa_english_question",
        "{language}",
        "en",
        "MLQA with English questions about contexts in 7 languages; contexts alone are perturbed",
        languages=MLQA_LANGUAGES,
        editable=("context",),
    ),
    _span(
        "tydiqa",
        LocalSquad(
            {"published_train": f"{_TYDIQA}-train/tydiqa.goldp.{{language}}.train.json"},
            unique_ids=False,
            languages={code: code for code in ("en", "ko", "sw")},
            slices={
                "train": "published_train[0%:80%]",
                "dev": "published_train[80%:90%]",
                "test": "published_train[90%:]",
            },
        ),
        Hub(
            "google/xtreme",
            _COLUMNS,
            "tydiqa",
            "answers",
            splits={"published_train": "train", "test": "validation"},
            index="id",
            languages=TYDIQA_LANGUAGES,
            prefix="{language}-",
            slices={"train": "published_train[0%:90%]", "dev": "published_train[90%:]"},
        ),
        languages=tuple(TYDIQA_LANGUAGES),
        description="TyDiQA-GoldP: questions written in each of 9 languages, not translated",
        note="Apache 2.0. The local dev files have no answers; there, test is a tenth of train, in en, ko and sw",
    ),
)
