"""Classification of two texts: inference and paraphrase."""

from itt_jax.data.sources import Hub, LocalFiles, Tfds
from itt_jax.data.sources.values import Columns, LabelNames
from itt_jax.tasks.classification import glue
from itt_jax.tasks.regression import MEDICAL_SLICES, PAIR, SICK_PATHS
from itt_jax.tasks.task import Task

INFERENCE = ("entailment", "neutral", "contradiction")
PARAPHRASE = ("different", "paraphrase")
XNLI_LANGUAGES = ("en", "ar", "bg", "de", "el", "es", "fr", "hi", "ru", "sw", "th", "tr", "ur", "vi", "zh")
PAWSX_LANGUAGES = ("en", "de", "es", "fr", "ja", "ko", "zh")
_INFERENCE_FIELDS = ("premise", "hypothesis")


def _inference(name: str, *sources, **more) -> Task:
    return Task(name, "classification", _INFERENCE_FIELDS, sources, INFERENCE, **more)


_SNLI_COLUMNS: Columns = {"premise": "premise", "hypothesis": "hypothesis"}
_SNLI_LABELS: LabelNames = {**{name: name for name in INFERENCE}, "-1": None}
_INFERENCE = (
    _inference(
        "xnli",
        LocalFiles(
            {"dev": "crosslingual/xnli/dev-{language}.tsv"},
            "tsv",
            {"premise": 0, "hypothesis": 1},
            2,
            header=False,
            quoted=False,
        ),
        LocalFiles(
            {"test": "crosslingual/xnli/test-{language}.tsv"},
            "tsv",
            {"premise": 0, "hypothesis": 1},
            label_paths={"test": "crosslingual/xnli/test-labels.txt"},
            header=False,
            quoted=False,
        ),
        Hub("facebook/xnli", _SNLI_COLUMNS, "{language}", "label"),
        languages=XNLI_LANGUAGES,
        parallel=True,
        rows_per_group=3,
        description="XNLI: natural language inference in 15 languages",
        note="CC BY-NC 4.0. The local files have no train split; train on a slice of English dev",
    ),
    _inference(
        "snli",
        LocalFiles(
            {s: f"english/imdb_snli_counterfactual/NLI/original/{s}.tsv" for s in ("train", "dev", "test")},
            "tsv",
            {"premise": "sentence1", "hypothesis": "sentence2"},
            "gold_label",
            quoted=True,
        ),
        Hub("stanfordnlp/snli", _SNLI_COLUMNS, label="label", labels=_SNLI_LABELS),
        Tfds("snli", "tensorflow_datasets.text.snli", _SNLI_COLUMNS, label="label", labels=_SNLI_LABELS),
        description="SNLI: natural language inference on image captions (the local files are a sample of 2,266)",
    ),
    _inference(
        "snli_counterfactual",
        LocalFiles(
            {s: f"english/imdb_snli_counterfactual/NLI/all_combined/{s}.tsv" for s in ("train", "dev", "test")},
            "tsv",
            {"premise": "sentence1", "hypothesis": "sentence2"},
            "gold_label",
            quoted=True,
        ),
        description="SNLI with premises and hypotheses rewritten by people to change the label",
    ),
    _inference(
        "sick_entailment",
        LocalFiles(
            SICK_PATHS,
            "tsv",
            {"premise": "sentence_A", "hypothesis": "sentence_B"},
            "entailment_judgment",
            {name.upper(): name for name in INFERENCE},
            quoted=False,
        ),
        Hub(
            "RobZamp/sick",
            {"premise": "sentence_A", "hypothesis": "sentence_B"},
            label="label",
            revision="refs/convert/parquet",
        ),
        description="SICK: inference on composed sentences",
        note="CC BY-NC-SA 3.0",
    ),
    Task(
        "rte",
        "classification",
        _INFERENCE_FIELDS,
        (
            LocalFiles(
                {"train": "english/glue_small/RTE/train.tsv", "test": "english/glue_small/RTE/dev.tsv"},
                "tsv",
                {"premise": "sentence1", "hypothesis": "sentence2"},
                "label",
                quoted=False,
            ),
            LocalFiles(
                {"dev": "english/glue_small/RTE/val.tsv"},
                "tsv",
                {"premise": 1, "hypothesis": 2},
                3,
                header=False,
                quoted=False,
            ),
            *glue("rte", {"premise": "sentence1", "hypothesis": "sentence2"}),
        ),
        ("entailment", "not_entailment"),
        description="RTE: recognising textual entailment",
        note="test is GLUE's dev; dev is carved from train",
    ),
)


def _paraphrase(name: str, *sources, **more) -> Task:
    return Task(name, "classification", PAIR, sources, PARAPHRASE, **more)


_SAME: LabelNames = {"0": "different", "1": "paraphrase"}
_PAIR_COLUMNS: Columns = {"sentence1": "sentence1", "sentence2": "sentence2"}
_PARAPHRASE = (
    _paraphrase(
        "pawsx",
        LocalFiles(
            {"dev": "crosslingual/pawsx/dev-{language}.tsv"},
            "tsv",
            {"sentence1": 0, "sentence2": 1},
            2,
            _SAME,
            header=False,
            quoted=True,
        ),
        LocalFiles(
            {"test": "crosslingual/pawsx/labelled/test-{language}.tsv"},
            "tsv",
            _PAIR_COLUMNS,
            "label",
            _SAME,
            quoted=True,
            languages={"de": "de", "zh": "00000-of-00001"},
        ),
        Hub("google-research-datasets/paws-x", _PAIR_COLUMNS, "{language}", "label", _SAME),
        Tfds(
            "paws_x_wiki/{language}",
            "tensorflow_datasets.text.paws_x_wiki",
            _PAIR_COLUMNS,
            label="label",
            labels={"different_meaning": "different", "paraphrase": "paraphrase"},
        ),
        languages=PAWSX_LANGUAGES,
        parallel=True,
        description="PAWS-X: paraphrases with swapped words, in 7 languages",
        note="the local files have no train split, and a labelled test split in German and Chinese only",
    ),
    _paraphrase(
        "msrp",
        LocalFiles(
            {
                split: f"english/sts_sick_msrp/para/msr/msr-para-{file}.tsv"
                for split, file in {"train": "train", "dev": "val", "test": "test"}.items()
            },
            "tsv",
            {"sentence1": "#1 String", "sentence2": "#2 String"},
            "Quality",
            _SAME,
            quoted=False,
        ),
        Hub(
            "nyu-mll/glue",
            _PAIR_COLUMNS,
            "mrpc",
            "label",
            {"not_equivalent": "different", "equivalent": "paraphrase"},
        ),
        metric="f1",
        description="MSRP (GLUE's MRPC): paraphrases in news",
    ),
    _paraphrase(
        "medical_question_pairs",
        LocalFiles(
            {"all": "medical/question_pairs/mqp.csv"},
            "csv",
            {"sentence1": 1, "sentence2": 2},
            3,
            _SAME,
            header=False,
            slices=MEDICAL_SLICES,
        ),
        Hub(
            "curaihealth/medical_questions_pairs",
            {"sentence1": "question_1", "sentence2": "question_2"},
            label="label",
            labels=_SAME,
            splits={"all": "train"},
            slices=MEDICAL_SLICES,
        ),
        domain="medical",
        rows_per_group=2,
        description="whether two patients' questions ask the same thing",
        note="published for research, no licence file",
    ),
)

TWO_TEXTS = (*_INFERENCE, *_PARAPHRASE)
