"""Classification of one text: sentiment, topics, questions, acceptability, clauses."""

from itt_jax.data.sources import Hub, LocalDocuments, LocalFiles, LocalFolders, Tfds
from itt_jax.data.sources.values import Columns, LabelNames
from itt_jax.tasks.task import Task

POLARITY = ("negative", "positive")
SENTIMENT = ("negative", "neutral", "positive")
TWEET_LANGUAGES = {
    "en": "english",
    "ar": "arabic",
    "de": "german",
    "es": "spanish",
    "fr": "french",
    "hi": "hindi",
    "it": "italian",
    "pt": "portuguese",
}
_TEXT = ("text",)
_ZERO_ONE_POLARITY: LabelNames = {"0": "negative", "1": "positive"}
_NEG_POS: LabelNames = {"neg": "negative", "pos": "positive"}
_GLUE_SPLITS = {"train": "train", "test": "validation"}  # GLUE's own test splits have no labels
CARVED_DEV = {"train": "train[0%:90%]", "dev": "train[90%:]"}
_THIRDS = {"train": "all[0%:70%]", "dev": "all[70%:80%]", "test": "all[80%:]"}  # 70 % for training, as in Protocol A


def glue(
    config: str,
    columns: Columns,
    labels: dict[str, str | None] | None = None,
    slices: dict[str, str] = CARVED_DEV,
) -> tuple:
    """GLUE from the hub and from TFDS: test is GLUE's dev, dev is carved from train."""
    return (
        Hub("nyu-mll/glue", columns, config, "label", labels or {}, splits=_GLUE_SPLITS, index="idx", slices=slices),
        Tfds(
            f"glue/{config}",
            "tensorflow_datasets.text.glue",
            columns,
            label="label",
            labels=labels or {},
            splits=_GLUE_SPLITS,
            index="idx",
            slices=slices,
        ),
    )


def _one_text(name: str, labels: tuple[str, ...], *sources, **more) -> Task:
    return Task(name, "classification", _TEXT, sources, labels, **more)


_SENTIMENT = (
    _one_text(
        "sst2",
        POLARITY,
        LocalFiles(
            {"train": "english/sst2/train.tsv", "test": "english/sst2/test.tsv"},
            "tsv",
            {"text": "sentence"},
            "label",
            _ZERO_ONE_POLARITY,
            quoted=False,
        ),
        *glue("sst2", {"text": "sentence"}, slices={}),
        held_out_sentences=0.1,
        description="SST-2: film reviews; train has phrases, dev and test have whole sentences",
        note="test is GLUE's dev; dev is carved from train by sentence, and its phrases are removed from train",
    ),
    _one_text(
        "imdb",
        POLARITY,
        LocalFiles(
            {s: f"english/imdb_snli_counterfactual/sentiment/orig/{s}.tsv" for s in ("train", "dev", "test")},
            "tsv",
            {"text": "Text"},
            "Sentiment",
            {"Negative": "negative", "Positive": "positive"},
            quoted=True,
        ),
        Hub(
            "stanfordnlp/imdb",
            {"text": "text"},
            label="label",
            labels=_NEG_POS,
            splits={"train": "train", "test": "test"},
            slices=CARVED_DEV,
        ),
        Tfds(
            "imdb_reviews",
            "tensorflow_datasets.text.imdb",
            {"text": "text"},
            label="label",
            labels=_NEG_POS,
            splits={"train": "train", "test": "test"},
            slices=CARVED_DEV,
        ),
        description="film reviews (the local files are a sample of 2,440)",
    ),
    _one_text(
        "movie_reviews",
        POLARITY,
        LocalFolders("english/movie_reviews/txt_sentoken", {"neg": "negative", "pos": "positive"}, slices=_THIRDS),
        description="2,000 long film reviews (Pang and Lee, polarity 2.0)",
    ),
    _one_text(
        "rt_polarity",
        POLARITY,
        LocalFiles(
            {"all": "english/sentence_classification/panglee/rt-polarity.all"},
            "label_text",
            {"text": 1},
            0,
            _ZERO_ONE_POLARITY,
            encoding="latin-1",
            slices=_THIRDS,
        ),
        Hub("cornell-movie-review-data/rotten_tomatoes", {"text": "text"}, label="label", labels=_NEG_POS),
        description="sentences of film reviews (Pang and Lee, 2005)",
    ),
)

_TWEET_FOLDER = "crosslingual/tweet_sentiment/{language}"


def _tweets(name: str, classes: tuple[str, ...], neutral: str | None, **more) -> Task:
    labels = {"0": "negative", "1": neutral, "2": "positive"}
    files = {"train": "train", "dev": "val", "test": "test"}
    return _one_text(
        name,
        classes,
        LocalFiles(
            {split: f"{_TWEET_FOLDER}/{file}_text.txt" for split, file in files.items()},
            "lines",
            {"text": 0},
            labels=labels,
            label_paths={split: f"{_TWEET_FOLDER}/{file}_labels.txt" for split, file in files.items()},
            languages=TWEET_LANGUAGES,
        ),
        Hub(
            "cardiffnlp/tweet_sentiment_multilingual",
            {"text": "text"},
            "{language}",
            "label",
            {"negative": "negative", "neutral": neutral, "positive": "positive"},
            revision="refs/convert/parquet",
            languages=TWEET_LANGUAGES,
        ),
        metric="macro_f1",
        languages=tuple(TWEET_LANGUAGES),
        **more,
    )


def _druglib(name: str, classes: tuple[str, ...], middle: str | None, description: str) -> Task:
    ratings = {
        str(rating): "negative" if rating <= 4 else "positive" if rating >= 7 else middle for rating in range(1, 11)
    }
    return _one_text(
        name,
        classes,
        LocalFiles(
            {"train": "medical/druglib/drugLibTrain_raw.tsv", "test": "medical/druglib/drugLibTest_raw.tsv"},
            "tsv",
            {"text": ("benefitsReview", "sideEffectsReview", "commentsReview")},
            "rating",
            ratings,
            quoted=True,
            slices=CARVED_DEV,
        ),
        metric="macro_f1",
        domain="medical",
        description=description,
    )


_MORE_SENTIMENT = (
    _tweets("tweet_sentiment", SENTIMENT, "neutral", description="UMSAB: sentiment of tweets"),
    _tweets("tweet_sentiment_binary", POLARITY, None, description="UMSAB without its neutral tweets"),
    _druglib("druglib", POLARITY, None, "drug reviews: ratings 1-4 negative, 7-10 positive, 5-6 left out"),
    _druglib("druglib_three", SENTIMENT, "neutral", "drug reviews: ratings 1-4 negative, 5-6 neutral, 7-10 positive"),
)

_TOPICS = (
    _one_text(
        "agnews",
        ("World", "Sports", "Business", "Sci/Tech"),
        LocalFiles(
            {"pool": "english/agnews/dev.tsv", "test": "english/agnews/test.tsv"},
            "tsv",
            {"text": 0},
            1,
            header=False,
            quoted=True,
            slices={"train": "pool[0%:90%]", "dev": "pool[90%:]"},
        ),
        Hub(
            "fancyzhx/ag_news",
            {"text": "text"},
            label="label",
            splits={"train": "train", "test": "test"},
            slices=CARVED_DEV,
        ),
        Tfds(
            "ag_news_subset",
            "tensorflow_datasets.text.ag_news_subset",
            {"text": "description"},
            label="label",
            splits={"train": "train", "test": "test"},
            slices=CARVED_DEV,
        ),
        description="AG News: topics",
        note="the local files lack the published train split; train and dev are slices of the published dev",
    ),
    _one_text(
        "subj",
        ("subjective", "objective"),
        LocalFiles(
            {"all": "english/sentence_classification/subj.all"},
            "label_text",
            {"text": 1},
            0,
            {"0": "subjective", "1": "objective"},
            encoding="latin-1",
            slices=_THIRDS,
        ),
        description="subjective sentences and sentences of plots (Pang and Lee, 2004)",
    ),
    _one_text(
        "trec",
        ("ABBR", "DESC", "ENTY", "HUM", "LOC", "NUM"),
        LocalFiles(
            {s: f"english/sentence_classification/TREC.{s}.all" for s in ("train", "test")},
            "label_text",
            {"text": 1},
            0,
            {"0": "DESC", "1": "ENTY", "2": "ABBR", "3": "HUM", "4": "LOC", "5": "NUM"},
            encoding="latin-1",
            slices=CARVED_DEV,
        ),
        Hub(
            "CogComp/trec",
            {"text": "text"},
            label="coarse_label",
            revision="refs/convert/parquet",
            splits={"train": "train", "test": "test"},
            slices=CARVED_DEV,
        ),
        Tfds(
            "trec",
            "tensorflow_datasets.text.trec",
            {"text": "text"},
            label="label-coarse",
            splits={"train": "train", "test": "test"},
            slices=CARVED_DEV,
        ),
        description="TREC: what a question asks for",
    ),
    _one_text(
        "cola",
        ("unacceptable", "acceptable"),
        LocalFiles(
            {
                "train": "english/glue_small/CoLA/train.tsv",
                "dev": "english/glue_small/CoLA/val.tsv",
                "test": "english/glue_small/CoLA/dev.tsv",
            },
            "tsv",
            {"text": 3},
            1,
            {"0": "unacceptable", "1": "acceptable"},
            header=False,
            quoted=False,
        ),
        *glue("cola", {"text": "sentence"}),
        metric="mcc",
        description="CoLA: whether a sentence is grammatical",
        note="test is GLUE's dev; dev is carved from train",
    ),
    _one_text(
        "unfair_tos",
        ("fair", "unfair"),
        LocalDocuments(
            texts="legal/unfair_tos/sentences/{language}/original",
            tags="legal/unfair_tos/tags/{language}/original",
            lists={
                "train": tuple(f"legal/unfair_tos/lists/LIST_TEST_{fold}.txt" for fold in (2, 3, 4)),
                "dev": ("legal/unfair_tos/lists/LIST_TEST_1.txt",),
                "test": ("legal/unfair_tos/lists/LIST_TEST_0.txt",),
            },
            flags=tuple(
                f"{tag}{level}"
                for tag in ("a", "ch", "cr", "j", "law", "ltd", "ter", "use", "pinc")
                for level in (2, 3)
            ),
            flagged="unfair",
            plain="fair",
        ),
        metric="macro_f1",
        domain="legal",
        languages=("en", "de", "it", "pl"),
        description="sentences of terms of service; unfair: with a potentially (2) or clearly (3) unfair clause",
        note="CC BY 4.0. The published folds are lists of services: fold 0 is test, 1 dev, 2 to 4 train",
    ),
)

ONE_TEXT = (*_SENTIMENT, *_MORE_SENTIMENT, *_TOPICS)
