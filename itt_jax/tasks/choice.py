"""Multiple choice: causes and effects, social situations."""

from itt_jax.data.sources import Hub, LocalFiles
from itt_jax.data.sources.values import Columns, LabelNames
from itt_jax.tasks.task import Task

XCOPA_LANGUAGES = ("et", "ht", "id", "it", "qu", "sw", "ta", "th", "tr", "vi", "zh")
_FILES = {"train": "train", "dev": "val", "test": "test"}
_CHOICES = ("choice1", "choice2")
_FIELDS = ("premise", "question", *_CHOICES)
_COLUMNS: Columns = {field: field for field in _FIELDS}
_BY_NUMBER: LabelNames = {"0": "choice1", "1": "choice2"}
_ANSWERS = ("answerA", "answerB", "answerC")
_SIQA_FIELDS = ("context", "question", *_ANSWERS)
_SIQA_COLUMNS: Columns = {field: field for field in _SIQA_FIELDS}


def _xcopa(name: str, description: str, editable: tuple[str, ...] = ()) -> Task:
    folder = "crosslingual/xcopa"
    return Task(
        name,
        "multiple_choice",
        _FIELDS,
        (
            LocalFiles(
                {split: f"{folder}/en/{file}-en.jsonl" for split, file in _FILES.items() if split != "test"},
                "jsonl",
                _COLUMNS,
                "label",
                _BY_NUMBER,
                languages={"en": "en"},
            ),
            LocalFiles(
                {split: f"{folder}/{{language}}/{_FILES[split]}.{{language}}.jsonl" for split in ("dev", "test")},
                "jsonl",
                _COLUMNS,
                "label",
                _BY_NUMBER,
                languages={code: code for code in XCOPA_LANGUAGES},
            ),
            Hub(
                "aps/super_glue",
                _COLUMNS,
                "copa",
                "label",
                splits={"train": "train", "dev": "validation"},
                languages={"en": "en"},
                index="idx",
            ),
            Hub(
                "cambridgeltl/xcopa",
                _COLUMNS,
                "{language}",
                "label",
                _BY_NUMBER,
                splits={"dev": "validation", "test": "test"},
                languages={code: code for code in XCOPA_LANGUAGES},
            ),
        ),
        _CHOICES,
        languages=("en", *XCOPA_LANGUAGES),
        parallel=True,
        patterns={"question": "What was the {}?"},
        fixed=("question",),
        editable=editable,
        description=description,
        note="CC BY 4.0. The question is English in every language, as in XTREME-R's code. As published it is 'effect' "
        "in all rows of Thai and of Turkish dev, and it differs from English in 51 test rows of Turkish, 37 of Swahili "
        "and 4 of Indonesian and Italian. XTREME-R trains on Social IQA, then on COPA: here arm itt with siqa before "
        "xcopa; arm direct is COPA alone. English test rows have no labels",
    )


CHOICE = (
    _xcopa("xcopa", "XCOPA: the cause or the effect of a premise, from two choices; English is COPA"),
    _xcopa("xcopa_premise", "XCOPA with perturbed premises only", ("premise",)),
    _xcopa("xcopa_choices", "XCOPA with perturbed choices only", _CHOICES),
    Task(
        "siqa",
        "multiple_choice",
        _SIQA_FIELDS,
        (
            LocalFiles(
                {
                    "pool": "crosslingual/siqa/socialIQa_v1.4_dev.jsonl",
                    "test": "crosslingual/siqa/socialIQa_v1.4_tst.jsonl",
                },
                "jsonl",
                _SIQA_COLUMNS,
                "correct",
                {"A": "answerA", "B": "answerB", "C": "answerC"},
                slices={"train": "pool[0%:90%]", "dev": "pool[90%:]"},
            ),
            Hub(
                "allenai/social_i_qa",
                _SIQA_COLUMNS,
                label="label",
                labels={"1": "answerA", "2": "answerB", "3": "answerC"},
                splits={"train": "train", "dev": "validation"},
                revision="refs/convert/parquet",
            ),
        ),
        _ANSWERS,
        fixed=("question",),
        description="Social IQA: what people do, feel or want in everyday situations, from three answers",
        note="CC BY 4.0. The local files lack the published train split; train and dev are slices of the published dev",
    ),
)
