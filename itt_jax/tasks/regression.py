"""Regression: how similar two sentences are."""

from itt_jax.data.sources import Hub, LocalFiles, Tfds
from itt_jax.tasks.task import Task

STSB_LANGUAGES = ("en", "de", "es", "fr", "it", "ja", "nl", "pl", "pt", "ru", "zh")
PAIR = ("sentence1", "sentence2")
MEDICAL_SLICES = {"train": "all[0%:60%]", "dev": "all[60%:70%]", "test": "all[70%:]"}
_STS_PATHS = {s: f"crosslingual/stsb_multi_mt/stsb-{{language}}-{s}.csv" for s in ("train", "dev", "test")}
_STS = LocalFiles(paths=_STS_PATHS, format="csv", header=False, columns={"sentence1": 0, "sentence2": 1}, label=2)
_SICK_FOLDER = "english/sts_sick_msrp/sts/sick2014"
SICK_PATHS = {
    "train": f"{_SICK_FOLDER}/SICK_train.txt",
    "dev": f"{_SICK_FOLDER}/SICK_trial.txt",
    "test": f"{_SICK_FOLDER}/SICK_test_annotated.txt",
}


def _similarity(name: str, score_range: tuple[float, float], **more) -> Task:
    return Task(name, "regression", PAIR, score_range=score_range, space="similarity", metric="pearson", **more)


REGRESSION = (
    _similarity(
        "stsb",
        (0.0, 5.0),
        description="STS benchmark, English",
        sources=(
            _STS,
            Hub(
                "nyu-mll/glue",
                {name: name for name in PAIR},
                "stsb",
                "label",
                splits={"train": "train", "dev": "validation"},
                index="idx",
            ),
            Tfds(
                "glue/stsb",
                "tensorflow_datasets.text.glue",
                {name: name for name in PAIR},
                label="label",
                splits={"train": "train", "dev": "validation"},
                index="idx",
            ),
        ),
    ),
    _similarity(
        "stsb_multi_mt",
        (0.0, 5.0),
        description="STS benchmark and its machine translations",
        languages=STSB_LANGUAGES,
        parallel=True,
        sources=(
            _STS,
            Hub(
                "PhilipMay/stsb_multi_mt",
                {name: name for name in PAIR},
                "{language}",
                "similarity_score",
                splits={"train": "train", "dev": "dev", "test": "test"},
            ),
        ),
    ),
    _similarity(
        "sick_relatedness",
        (1.0, 5.0),
        description="SICK: relatedness of composed sentences",
        note="CC BY-NC-SA 3.0; its sentences come from image captions and STS 2012 video descriptions",
        sources=(
            LocalFiles(
                SICK_PATHS,
                "tsv",
                columns={"sentence1": "sentence_A", "sentence2": "sentence_B"},
                label="relatedness_score",
                quoted=False,
            ),
            Hub(
                "RobZamp/sick",
                {"sentence1": "sentence_A", "sentence2": "sentence_B"},
                label="relatedness_score",
                revision="refs/convert/parquet",
            ),
        ),
    ),
    _similarity(
        "medical_question_similarity",
        (0.0, 1.0),
        description="medical question pairs; the score is their class (0 different, 1 same)",
        domain="medical",
        rows_per_group=2,
        note="published for research, no licence file",
        sources=(
            LocalFiles(
                {"all": "medical/question_pairs/mqp.csv"},
                "csv",
                header=False,
                columns={"sentence1": 1, "sentence2": 2},
                label=3,
                slices=MEDICAL_SLICES,
            ),
        ),
    ),
)
