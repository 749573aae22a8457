"""LEXTREME (arXiv 2301.13126): legal tasks in 24 languages from the hub, and MultiEURLEX, which it takes over.

Its figures are macro-F1 with seeds 1, 2, 3, put together by `score.lextreme`. Left out here: greek_legal_code_chapter
and _subject (389 and 1,685 classes), mapa_fine (its spelling of classes differs between published versions), levels 2
and 3 of MultiEURLEX (its parquet files hold only level 1).
"""

from typing import Any

from itt_jax.data.sources import Hub
from itt_jax.tasks.tagging import LENER_TYPES, entity_tags
from itt_jax.tasks.task import Task

EUROVOC = tuple(
    "100149 100160 100148 100147 100152 100143 100156 100158 100154 100153 100142 100145 100150 100162 100159 100144 "
    "100151 100157 100161 100146 100155".split()
)
"""Ids of the 21 concepts of EUROVOC's level 1, in the order of the data set's classes."""
EURLEX_LANGUAGES = tuple("en de fr it es pl ro nl el hu pt cs sv bg da fi sk lt hr sl et lv mt".split())
MAPA_LANGUAGES = tuple("en bg cs da de el es et fi fr ga hu it lt lv mt nl pt ro sk sv".split())
GREEK_VOLUMES = (
    "ΚΟΙΝΩΝΙΚΗ ΠΡΟΝΟΙΑ",
    "ΓΕΩΡΓΙΚΗ ΝΟΜΟΘΕΣΙΑ",
    "ΡΑΔΙΟΦΩΝΙΑ ΚΑΙ ΤΥΠΟΣ",
    "ΒΙΟΜΗΧΑΝΙΚΗ ΝΟΜΟΘΕΣΙΑ",
    "ΥΓΕΙΟΝΟΜΙΚΗ ΝΟΜΟΘΕΣΙΑ",
    "ΠΟΛΕΜΙΚΟ ΝΑΥΤΙΚΟ",
    "ΤΑΧΥΔΡΟΜΕΙΑ - ΤΗΛΕΠΙΚΟΙΝΩΝΙΕΣ",
    "ΔΑΣΗ ΚΑΙ ΚΤΗΝΟΤΡΟΦΙΑ",
    "ΕΛΕΓΚΤΙΚΟ ΣΥΝΕΔΡΙΟ ΚΑΙ ΣΥΝΤΑΞΕΙΣ",
    "ΠΟΛΕΜΙΚΗ ΑΕΡΟΠΟΡΙΑ",
    "ΝΟΜΙΚΑ ΠΡΟΣΩΠΑ ΔΗΜΟΣΙΟΥ ΔΙΚΑΙΟΥ",
    "ΝΟΜΟΘΕΣΙΑ ΑΝΩΝΥΜΩΝ ΕΤΑΙΡΕΙΩΝ ΤΡΑΠΕΖΩΝ ΚΑΙ ΧΡΗΜΑΤΙΣΤΗΡΙΩΝ",
    "ΠΟΛΙΤΙΚΗ ΑΕΡΟΠΟΡΙΑ",
    "ΕΜΜΕΣΗ ΦΟΡΟΛΟΓΙΑ",
    "ΚΟΙΝΩΝΙΚΕΣ ΑΣΦΑΛΙΣΕΙΣ",
    "ΝΟΜΟΘΕΣΙΑ ΔΗΜΩΝ ΚΑΙ ΚΟΙΝΟΤΗΤΩΝ",
    "ΝΟΜΟΘΕΣΙΑ ΕΠΙΜΕΛΗΤΗΡΙΩΝ ΣΥΝΕΤΑΙΡΙΣΜΩΝ ΚΑΙ ΣΩΜΑΤΕΙΩΝ",
    "ΔΗΜΟΣΙΑ ΕΡΓΑ",
    "ΔΙΟΙΚΗΣΗ ΔΙΚΑΙΟΣΥΝΗΣ",
    "ΑΣΦΑΛΙΣΤΙΚΑ ΤΑΜΕΙΑ",
    "ΕΚΚΛΗΣΙΑΣΤΙΚΗ ΝΟΜΟΘΕΣΙΑ",
    "ΕΚΠΑΙΔΕΥΤΙΚΗ ΝΟΜΟΘΕΣΙΑ",
    "ΔΗΜΟΣΙΟ ΛΟΓΙΣΤΙΚΟ",
    "ΤΕΛΩΝΕΙΑΚΗ ΝΟΜΟΘΕΣΙΑ",
    "ΣΥΓΚΟΙΝΩΝΙΕΣ",
    "ΕΘΝΙΚΗ ΑΜΥΝΑ",
    "ΣΤΡΑΤΟΣ ΞΗΡΑΣ",
    "ΑΓΟΡΑΝΟΜΙΚΗ ΝΟΜΟΘΕΣΙΑ",
    "ΔΗΜΟΣΙΟΙ ΥΠΑΛΛΗΛΟΙ",
    "ΠΕΡΙΟΥΣΙΑ ΔΗΜΟΣΙΟΥ ΚΑΙ ΝΟΜΙΣΜΑ",
    "ΟΙΚΟΝΟΜΙΚΗ ΔΙΟΙΚΗΣΗ",
    "ΛΙΜΕΝΙΚΗ ΝΟΜΟΘΕΣΙΑ",
    "ΑΣΤΙΚΗ ΝΟΜΟΘΕΣΙΑ",
    "ΠΟΛΙΤΙΚΗ ΔΙΚΟΝΟΜΙΑ",
    "ΔΙΠΛΩΜΑΤΙΚΗ ΝΟΜΟΘΕΣΙΑ",
    "ΔΙΟΙΚΗΤΙΚΗ ΝΟΜΟΘΕΣΙΑ",
    "ΑΜΕΣΗ ΦΟΡΟΛΟΓΙΑ",
    "ΤΥΠΟΣ ΚΑΙ ΤΟΥΡΙΣΜΟΣ",
    "ΕΘΝΙΚΗ ΟΙΚΟΝΟΜΙΑ",
    "ΑΣΤΥΝΟΜΙΚΗ ΝΟΜΟΘΕΣΙΑ",
    "ΑΓΡΟΤΙΚΗ ΝΟΜΟΘΕΣΙΑ",
    "ΕΡΓΑΤΙΚΗ ΝΟΜΟΘΕΣΙΑ",
    "ΠΟΙΝΙΚΗ ΝΟΜΟΘΕΣΙΑ",
    "ΕΜΠΟΡΙΚΗ ΝΟΜΟΘΕΣΙΑ",
    "ΕΠΙΣΤΗΜΕΣ ΚΑΙ ΤΕΧΝΕΣ",
    "ΕΜΠΟΡΙΚΗ ΝΑΥΤΙΛΙΑ",
    "ΣΥΝΤΑΓΜΑΤΙΚΗ ΝΟΜΟΘΕΣΙΑ",
)
GREEK_ENTITIES = ("FACILITY", "GPE", "LEG-REFS", "LOCATION-NAT", "LOCATION-UNK", "ORG", "PERSON", "PUBLIC-DOCS")
_PARQUET = "refs/convert/parquet"  # the hub's own conversion; the data set itself is a script, which is never run


def _eurlex(name: str, metric: str, note: str) -> Task:
    source = Hub(
        "coastalcph/multi_eurlex",
        {"text": "text"},
        "{language}",
        "labels",
        index="celex_id",
        # the revision with parquet files of every language; main has a script
        revision="ac87ce2b3dcbfe2be3fa18dd3927638ee4a65f5a",
    )
    return Task(
        name,
        "multilabel",
        ("text",),
        (source,),
        EUROVOC,
        metric=metric,
        domain="legal",
        languages=EURLEX_LANGUAGES,
        parallel=True,
        description="MultiEURLEX: EUROVOC's level-1 concepts of EU laws in 23 languages, split by date",
        note=f"CC BY-SA 4.0. A law has one id in all languages; train has fewer laws in some of them. {note}",
    )


_MACRO_F1 = "CC BY 4.0. The published figure is macro-F1"
_FIGURES = {
    "classification": ("macro_f1", _MACRO_F1),
    "multilabel": ("label_macro_f1", _MACRO_F1),
    "token_classification": ("entity_f1", f"{_MACRO_F1} over types of entities; ours is micro-F1 over all entities"),
}
"""Kind -> metric and note."""


def _lextreme(config: str, kind: str, labels: tuple[str, ...], languages: tuple[str, ...], **more: Any) -> Task:
    metric, note = _FIGURES[kind]
    source = Hub(
        "joelniklaus/lextreme",
        {"text": "input"},
        config,
        "label",
        revision=_PARQUET,
        language="language" if len(languages) > 1 else "",
    )
    return Task(
        f"lextreme_{config}",
        kind,
        ("text",),
        (source,),
        labels,
        metric=metric,
        domain="legal",
        languages=languages,
        source_language=languages[0],
        note=note,
        **more,
    )


LEXTREME = (
    _eurlex("multi_eurlex", "r_precision", "The published figure is R-precision"),
    _eurlex("lextreme_multi_eurlex_level_1", "label_macro_f1", "LEXTREME's figure is macro-F1"),
    _lextreme(
        "brazilian_court_decisions_judgment",
        "classification",
        ("no", "partial", "yes"),
        ("pt",),
        description="whether a Brazilian court grants an appeal",
    ),
    _lextreme(
        "brazilian_court_decisions_unanimity",
        "classification",
        ("unanimity", "not-unanimity"),
        ("pt",),
        description="whether the judges of a Brazilian court agreed",
    ),
    _lextreme(
        "german_argument_mining",
        "classification",
        ("conclusion", "definition", "subsumption", "other"),
        ("de",),
        description="function of a sentence in a German court's reasoning",
    ),
    _lextreme(
        "greek_legal_code_volume",
        "classification",
        GREEK_VOLUMES,
        ("el",),
        description="which of the 47 volumes of the Greek legal code a text is from",
    ),
    _lextreme(
        "swiss_judgment_prediction",
        "classification",
        ("dismissal", "approval"),
        ("de", "fr", "it"),
        description="whether the Swiss Federal Supreme Court approves a request",
    ),
    _lextreme(
        "online_terms_of_service_unfairness_levels",
        "classification",
        ("clearly_fair", "potentially_unfair", "clearly_unfair"),
        ("en", "de", "it", "pl"),
        description="how unfair a sentence of terms of service is",
    ),
    _lextreme(
        "online_terms_of_service_clause_topics",
        "multilabel",
        ("a", "ch", "cr", "j", "law", "ltd", "ter", "use", "pinc"),
        ("en", "de", "it", "pl"),
        description="kinds of unfair clause in a sentence of terms of service",
    ),
    _lextreme(
        "covid19_emergency_event",
        "multilabel",
        tuple(f"event{number}" for number in range(1, 9)),
        ("en", "fr", "hu", "it", "nb", "nl", "pl"),
        description="emergency measures against COVID-19 in a sentence of a law",
    ),
    _lextreme(
        "greek_legal_ner",
        "token_classification",
        entity_tags(GREEK_ENTITIES),
        ("el",),
        description="entities of eight types in Greek legislation",
    ),
    _lextreme(
        "legalnero",
        "token_classification",
        entity_tags(("LEGAL", "LOC", "ORG", "PER", "TIME")),
        ("ro",),
        description="entities of five types in Romanian legal documents",
    ),
    _lextreme(
        "lener_br",
        "token_classification",
        entity_tags(tuple(sorted(LENER_TYPES))),
        ("pt",),
        description="LeNER-Br as LEXTREME publishes it",
    ),
    _lextreme(
        "mapa_coarse",
        "token_classification",
        entity_tags(("ADDRESS", "AMOUNT", "DATE", "ORGANISATION", "PERSON", "TIME")),
        MAPA_LANGUAGES,
        description="MAPA: entities of six types in EU law and court decisions, in 21 languages",
    ),
)
