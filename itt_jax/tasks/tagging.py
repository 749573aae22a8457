"""Token classification: named entities and parts of speech."""

from collections.abc import Mapping

from itt_jax.data.sources import Hub, LocalFiles, LocalXmi
from itt_jax.data.sources.values import LabelNames
from itt_jax.tasks.task import Task

PANX_TYPES = ("LOC", "ORG", "PER")
PANX_LANGUAGES = tuple(
    "en af ar az bg bn de el es et eu fa fi fr gu he hi hu id it ja jv ka kk ko lt ml mr ms my nl pa pl pt qu ro ru sw "
    "ta te th tl tr uk ur vi yo zh".split()
)
UPOS = tuple("ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X".split())
UDPOS_LANGUAGES = tuple(
    "en af ar bg de el es et eu fa fi fr he hi hu id it ja kk ko lt mr nl pl pt ro ru ta te th tl tr uk ur vi wo yo "
    "zh".split()
)
UDPOS_LOCAL = tuple(code for code in UDPOS_LANGUAGES if code not in ("kk", "th", "tl", "yo"))
UDPOS_HUB = {
    "af": "Afrikaans",
    "ar": "Arabic",
    "bg": "Bulgarian",
    "de": "German",
    "el": "Greek",
    "en": "English",
    "es": "Spanish",
    "et": "Estonian",
    "eu": "Basque",
    "fa": "Persian",
    "fi": "Finnish",
    "fr": "French",
    "he": "Hebrew",
    "hi": "Hindi",
    "hu": "Hungarian",
    "id": "Indonesian",
    "it": "Italian",
    "ja": "Japanese",
    "kk": "Kazakh",
    "ko": "Korean",
    "mr": "Marathi",
    "nl": "Dutch",
    "pt": "Portuguese",
    "ru": "Russian",
    "ta": "Tamil",
    "te": "Telugu",
    "th": "Thai",
    "tl": "Tagalog",
    "tr": "Turkish",
    "ur": "Urdu",
    "vi": "Vietnamese",
    "yo": "Yoruba",
    "zh": "Chinese",
}
E3C_LANGUAGES = {"en": "English", "es": "Spanish", "eu": "Basque", "fr": "French", "it": "Italian"}

# The corpus's own coarse classes (its README): judges and lawyers are persons; streets, cities, countries and
# landscapes are places; courts, companies, institutions and brands are organisations. PAN-X has no class for norms,
# rulings, contracts and literature.
LER_TYPES = {
    **dict.fromkeys(("PER", "RR", "AN"), "PER"),
    **dict.fromkeys(("LD", "ST", "STR", "LDS"), "LOC"),
    **dict.fromkeys(("ORG", "UN", "INN", "GRT", "MRK"), "ORG"),
    **dict.fromkeys(("GS", "VO", "EUN", "VS", "VT", "RS", "LIT"), None),
}
# PAN-X has no class for times, laws and legal cases.
LENER_TYPES = {
    "PESSOA": "PER",
    "LOCAL": "LOC",
    "ORGANIZACAO": "ORG",
    **dict.fromkeys(("TEMPO", "LEGISLACAO", "JURISPRUDENCIA"), None),
}


def entity_tags(types: tuple[str, ...]) -> tuple[str, ...]:
    """O, then B- and I- of each type.

    >>> entity_tags(("PER",))
    ('O', 'B-PER', 'I-PER')
    """
    return ("O", *(f"{prefix}-{kind}" for kind in types for prefix in "BI"))


def entity_labels(types: Mapping[str, str | None]) -> LabelNames:
    """Published tag -> tag, from published type -> type; None if the type becomes O."""
    labels: LabelNames = {"O": "O"}
    for published, kind in types.items():
        labels |= {f"{prefix}-{published}": f"{prefix}-{kind}" if kind else "O" for prefix in "BI"}
    return labels


def _entities(name: str, types: tuple[str, ...], *sources, **more) -> Task:
    return Task(name, "token_classification", ("text",), sources, entity_tags(types), metric="entity_f1", **more)


def _at_home(languages: tuple[str, ...]) -> dict[str, str]:
    return {code: code for code in languages}


_PANX = (
    _entities(
        "panx",
        PANX_TYPES,
        LocalFiles(
            {"train": "crosslingual/panx/train-{language}.tsv"},
            "conll",
            {"text": 0},
            1,
            languages=_at_home(("en", "de", "es", "hi", "sw", "zh")),
        ),
        LocalFiles(
            {"dev": "crosslingual/panx/dev-{language}.tsv"},
            "conll",
            {"text": 0},
            1,
            languages=_at_home(tuple(code for code in PANX_LANGUAGES if code != "th")),
        ),
        Hub("google/xtreme", {"text": "tokens"}, "PAN-X.{language}", "ner_tags"),
        languages=PANX_LANGUAGES,
        description="PAN-X (WikiANN): places, organisations and persons in 48 languages",
        note="The local files have no labelled test split and lack Thai; evaluate on a slice of dev",
    ),
    Task(
        "udpos",
        "token_classification",
        ("text",),
        (
            LocalFiles(
                {"train": "crosslingual/udpos/train-{language}.tsv"}, "conll", {"text": 0}, 1, languages={"en": "en"}
            ),
            LocalFiles(
                {"dev": "crosslingual/udpos/dev-{language}.tsv"},
                "conll",
                {"text": 0},
                1,
                languages=_at_home(UDPOS_LOCAL),
            ),
            Hub("google/xtreme", {"text": "tokens"}, "udpos.{language}", "pos_tags", languages=UDPOS_HUB),
        ),
        UPOS,
        metric="entity_f1_0.0.12",
        languages=UDPOS_LANGUAGES,
        description="UD-POS: universal parts of speech in 38 languages",
        note="F1 as in XTREME's published scores: seqeval 0.0.12, which reads a run of one tag as one entity. The "
        "local files have no labelled test split; evaluate on a slice of dev. The hub lacks lt, pl, ro, uk, wo",
    ),
)


def _ler(name: str, types: dict[str, str | None], **more) -> Task:
    kept = tuple(sorted({kind for kind in types.values() if kind}))
    labels = entity_labels(types)
    return _entities(
        name,
        kept,
        LocalFiles(
            {"pool": "legal/ler_de/ler_dev.conll", "test": "legal/ler_de/ler_test.conll"},
            "conll",
            {"text": 0},
            1,
            labels,
            slices={"train": "pool[0%:80%]", "dev": "pool[80%:]"},
        ),
        Hub(
            "elenanereiss/german-ler",
            {"text": "tokens"},
            label="ner_tags",
            labels=labels,
            revision="refs/convert/parquet",
        ),
        domain="legal",
        languages=("de",),
        source_language="de",
        **more,
    )


def _lener(name: str, types: dict[str, str | None], **more) -> Task:
    kept = tuple(sorted({kind for kind in types.values() if kind}))
    labels = entity_labels(types)
    files = {split: f"legal/lener_br/{split}/{split}.conll" for split in ("train", "dev", "test")}
    return _entities(
        name,
        kept,
        LocalFiles(files, "conll", {"text": 0}, 1, labels),
        Hub("peluz/lener_br", {"text": "tokens"}, label="ner_tags", labels=labels, revision="refs/convert/parquet"),
        domain="legal",
        languages=("pt",),
        source_language="pt",
        **more,
    )


_LEGAL = (
    _ler(
        "ler_de",
        {kind: kind for kind in LER_TYPES},
        description="entities of 19 classes in decisions of German courts",
        note="CC BY 4.0. The local files lack the published train split; train and dev are slices of the published dev",
    ),
    _ler(
        "ler_de_panx",
        LER_TYPES,
        description="LER with the classes of PAN-X, for heads trained there",
        note="CC BY 4.0. PER: PER, RR, AN; LOC: LD, ST, STR, LDS; ORG: ORG, UN, INN, GRT, MRK; the rest is O",
    ),
    _lener(
        "lener_br",
        {kind: kind for kind in LENER_TYPES},
        description="entities of six classes in Brazilian legal documents",
    ),
    _lener(
        "lener_br_panx",
        LENER_TYPES,
        description="LeNER-Br with the classes of PAN-X, for heads trained there",
        note="PER: PESSOA; LOC: LOCAL; ORG: ORGANIZACAO; times, laws and legal cases are O",
    ),
)


def _e3c(name: str, entities: dict[str, str], types: tuple[str, ...], **more) -> Task:
    return _entities(
        name,
        types,
        LocalXmi(
            "medical/e3c/{language}/layer1",
            entities,
            languages=E3C_LANGUAGES,
            slices={"train": "all[0%:50%]", "dev": "all[50%:60%]", "test": "all[60%:]"},
        ),
        domain="medical",
        documents=True,
        languages=tuple(E3C_LANGUAGES),
        **more,
    )


_E3C_NOTE = "CC BY-NC 4.0; a sample of 30 documents a language; documents are never divided between splits"
_MEDICAL = (
    _entities(
        "ncbi_disease",
        ("DISEASE",),
        LocalFiles(
            {s: f"medical/scibert_tasks/ner/NCBI-disease/{s}.txt" for s in ("train", "dev", "test")},
            "conll",
            {"text": 0},
            3,
            entity_labels({"Disease": "DISEASE"}),
        ),
        Hub(
            "ncbi/ncbi_disease",
            {"text": "tokens"},
            label="ner_tags",
            labels=entity_labels({"Disease": "DISEASE"}),
            revision="refs/convert/parquet",
        ),
        domain="biomedical",
        description="diseases in abstracts of biomedical papers",
        note="corpus for research use",
    ),
    _entities(
        "bc5cdr",
        ("ENTITY",),
        LocalFiles(
            {s: f"medical/scibert_tasks/ner/bc5cdr/{s}.txt" for s in ("train", "dev", "test")},
            "conll",
            {"text": 0},
            3,
            entity_labels({"Entity": "ENTITY"}),
            scheme="iob1",
        ),
        domain="biomedical",
        description="chemicals and diseases, as one class, in abstracts of biomedical papers",
        note="corpus for research use; its local form does not distinguish chemicals from diseases",
    ),
    _e3c(
        "e3c",
        {"CLINENTITY": "DISEASE"},
        ("DISEASE",),
        description="disorders in clinical cases, in five languages; shares the label space of ncbi_disease",
        note=_E3C_NOTE,
    ),
    _e3c(
        "e3c_full",
        {"CLINENTITY": "DISEASE", "BODYPART": "BODYPART", "ACTOR": "ACTOR"},
        ("ACTOR", "BODYPART", "DISEASE"),
        description="disorders, parts of the body and actors in clinical cases, in five languages",
        note=_E3C_NOTE,
    ),
    _e3c(
        "e3c_panx",
        {"ACTOR": "PER"},
        PANX_TYPES,
        description="actors of clinical cases as PAN-X's persons, for heads trained there",
        note=f"{_E3C_NOTE}. Actors are patients and staff, described rather than named: the only class of E3C "
        "that corresponds to one of PAN-X; it has no places or organisations",
    ),
)

TAGGING = (*_PANX, *_LEGAL, *_MEDICAL)
