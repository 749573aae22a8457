"""Retrieval: translations, entities and answering sentences."""

from itt_jax.data.sources import Hub, LocalBitext, LocalLines, LocalMentions, LocalSentences, LocalSquad
from itt_jax.tasks.task import Task

# Tatoeba's languages in XTREME-R and their spelling in its files (LASER's test set)
TATOEBA_LANGUAGES = dict(
    pair.split("-")
    for pair in (
        "ar-ara he-heb vi-vie id-ind jv-jav tl-tgl eu-eus ml-mal ta-tam te-tel af-afr nl-nld de-deu el-ell bn-ben "
        "hi-hin mr-mar ur-urd fa-pes fr-fra it-ita pt-por es-spa bg-bul ru-rus ja-jpn ka-kat ko-kor th-tha sw-swh "
        "zh-cmn kk-kaz tr-tur et-est fi-fin hu-hun az-aze lt-lit pl-pol uk-ukr ro-ron"
    ).split()
)
LAREQA_LANGUAGES = ("en", "ar", "de", "el", "es", "hi", "ru", "th", "tr", "vi", "zh")
_TATOEBA = "crosslingual/tatoeba/tatoeba.{language}-eng"


def _sentences(name: str, source: LocalSquad, description: str, note: str) -> Task:
    """Questions with the sentences that answer them: training pairs for a dual encoder."""
    return Task(
        name,
        "retrieval",
        ("question", "sentence", "context"),
        (source,),
        candidates=("sentence", "context"),
        editable=("question",),
        description=description,
        note=note,
    )


RETRIEVAL = (
    _sentences(
        "squad_sentences",
        LocalSquad(
            {"train": "english/squad/train-v1.1.json", "test": "english/squad/dev-v1.1.json"},
            sentences=True,
            slices={"dev": "train[95%:]", "train": "train[0%:95%]"},
        ),
        "SQuAD's questions with their sentences, the training set for LAReQA",
        "CC BY-SA 4.0. Sentences are split by our own rule; XTREME-R's code uses a sentence breaker",
    ),
    _sentences(
        "tydiqa_sentences",
        LocalSquad(
            {"published_train": "crosslingual/tydiqa/tydiqa-goldp-v1.1-train/tydiqa.goldp.en.train.json"},
            unique_ids=False,
            sentences=True,
            slices={
                "train": "published_train[0%:80%]",
                "dev": "published_train[80%:90%]",
                "test": "published_train[90%:]",
            },
        ),
        "TyDiQA's English questions with their sentences, in place of SQuAD",
        "Apache 2.0. Sentences are split by our own rule",
    ),
    Task(
        "tatoeba",
        "retrieval",
        ("text", "english"),
        (
            LocalLines(
                {"test": {"text": f"{_TATOEBA}.{{language}}", "english": f"{_TATOEBA}.eng"}},
                languages=TATOEBA_LANGUAGES,
            ),
            Hub(
                "google/xtreme",
                {"text": "source_sentence", "english": "target_sentence"},
                "tatoeba.{language}",
                splits={"test": "validation"},
                languages=TATOEBA_LANGUAGES,
            ),
        ),
        languages=tuple(TATOEBA_LANGUAGES),
        candidates=("text",),
        editable=("text",),
        description="Tatoeba: the translation of each English sentence, among up to 1,000 in another language",
        note="CC BY 2.0 FR. No training data. The candidates, which are not English, are perturbed",
    ),
    Task(
        "mewslix",
        "retrieval",
        ("mention",),
        (
            LocalMentions(
                {split: f"crosslingual/mewslix/wikinews_mentions-{split}.jsonl" for split in ("dev", "test")},
                "crosslingual/mewslix/candidate_set_entities.jsonl",
            ),
        ),
        metric="mrr_at_20",
        languages=("en", "ar", "de", "es", "fa", "ja", "pl", "ro", "ta", "tr", "uk"),
        description="Mewsli-X: the entity that a mention in news names, among a million in 50 languages",
        note="Train on mewslix_pairs. Each mention has one right entity, so mAP@20 equals MRR@20",
    ),
    Task(
        "mewslix_pairs",
        "retrieval",
        ("mention", "entity"),
        (
            LocalMentions(
                {"train": "crosslingual/mewslix/wikipedia_pairs-train.jsonl"}
                | {"dev": "crosslingual/mewslix/wikipedia_pairs-dev.jsonl"}
            ),
        ),
        candidates=("entity",),
        editable=("mention",),
        description="Mewsli-X's English Wikipedia pairs of a mention and its entity: training pairs for a dual encoder",
    ),
    Task(
        "bucc2018",
        "retrieval",
        ("text",),
        (
            LocalBitext(
                *(
                    {split: f"crosslingual/bucc2018/{{language}}-en.{split}.{side}" for split in ("dev", "test")}
                    for side in ("{language}", "en", "gold")
                )
            ),
        ),
        metric="mining_f1",
        languages=("de", "fr", "ru", "zh"),
        description="BUCC 2018: mining pairs of translations from sentences of English and another language",
        note="For research. No training. The threshold on a pair's margin maximises F1 on the clean text; XTREME tunes "
        "it on dev. The sentences that are not English are perturbed",
    ),
    Task(
        "lareqa",
        "retrieval",
        ("question",),
        (
            LocalSentences(
                {"test": "crosslingual/xquad_r/xquad-r/{language}.json"},
                languages={code: code for code in LAREQA_LANGUAGES},
            ),
        ),
        metric="map_at_20",
        languages=LAREQA_LANGUAGES,
        parallel=True,
        description="LAReQA (XQuAD-R): the sentences that answer a question, among sentences in all languages",
        note="CC BY-SA 4.0. The pool holds the languages whose files are available. A candidate is read as sentence "
        "and context, as in the published training code. The questions are perturbed",
    ),
)
