"""Tasks whose answer is the right one of many candidates, by the vectors of texts."""

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
    """Questions with the sentence that answers them: pairs to train a dual encoder on."""
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
        "SQuAD's questions with their sentences: what LAReQA is trained on",
        "CC BY-SA 4.0. Sentences end by a rule of ours, in XTREME-R's code by a sentence breaker of its own",
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
        "TyDiQA's English questions with their sentences, where SQuAD is not at hand",
        "Apache 2.0. Sentences end by a rule of ours",
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
        description="Tatoeba: the translation of each English sentence, among up to 1,000 of another language",
        note="CC BY 2.0 FR. Nothing is trained: vectors are means of a middle layer, as in XTREME. Perturbed are the "
        "candidates, the texts that are not English",
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
        description="Mewsli-X: the entity that a mention in the news names, among a million in 50 languages",
        note="Trained on mewslix_pairs. One right entity a mention, so mAP@20 is MRR@20",
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
        description="Mewsli-X's English Wikipedia pairs of a mention and its entity, to train a dual encoder on",
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
        description="BUCC 2018: the pairs of translations among many sentences of English and another language",
        note="For research. Nothing is trained; a pair counts from the margin of highest F1 on the clean text, where "
        "XTREME takes it from dev. Perturbed are the sentences that are not English",
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
        description="LAReQA (XQuAD-R): the sentences that answer a question, among those of all languages",
        note="CC BY-SA 4.0. The pool holds the languages whose files are at hand. A candidate is read as sentence and "
        "context, as its code trains; perturbed are the questions",
    ),
)
