"""Controls change the meaning of a text, are marked as controls, and respect the limits of their rules."""

import itertools
import json

import numpy as np
import pytest

from itt_jax.perturb import CATALOG, Lexicon, perturb, variants
from itt_jax.perturb.controls import KEPT, negations, sentence_starts
from itt_jax.perturb.tables import read
from itt_jax.perturb.text import from_strings
from itt_jax.perturb.units import Document


def sentences_of(text: str) -> list[str]:
    document = Document(from_strings([text]), None, "en")
    starts = [*document.starts[sentence_starts(document)].tolist(), len(text)]
    return [text[a:b].strip() for a, b in itertools.pairwise(starts)]


def test_exactly_the_controls_are_marked():
    controls = {name for name, operator in CATALOG.items() if operator.changes_label}
    assert controls == {name for name, operator in CATALOG.items() if operator.family == "control"}
    assert controls >= {"omission", "negation", "entity_exchange"}
    assert all(CATALOG[name].summary.startswith("CONTROL: ") for name in controls)


@pytest.mark.parametrize(
    "parts",
    [
        ["He is ill.", "She is well!", "Why?"],
        ['"Stop!" she said.', "Dr. No met Mrs. Day on 5. May in New York.", "Then he left..."],
        ["他病了。", "她很好！", "「为什么？」", "他走了。"],
        ["वह बीमार है।", "वह ठीक है।"],
        ["وہ بیمار ہے۔", "وہ ٹھیک ہے۔"],
        ["لماذا؟", "لا أعرف."],
        ["Version 3.5 of it... works.", "(Yes.)", "No."],
        ["...and more.", "Fine."],
        ["no mark at all"],
    ],
)
def test_sentences(parts):
    assert sentences_of(" ".join(parts)) == parts
    if "。" in parts[0]:
        assert sentences_of("".join(parts)) == parts


def test_sentences_do_not_depend_on_neighbours():
    texts = ["Dr", ". Abc", "", " ", "A. B", "-", "Is it?", '" Yes'] * 2
    together = Document(from_strings(texts), None, "en")
    found = together.starts[sentence_starts(together)].tolist()
    alone, offset = [], 0
    for text in texts:
        document = Document(from_strings([text]), None, "en")
        alone += (offset + document.starts[sentence_starts(document)]).tolist()
        offset += len(text)
    assert found == alone


def test_omission_keeps_one_sentence():
    text = "One is here.  Two is there. Three is gone! "
    found = perturb([text] * 100, "omission", 1.0, "en")
    assert set(found) == {"One is here. ", "Two is there. ", "Three is gone! "}
    assert perturb(["One is here.", "", " . "], "omission", 1.0, "en") == ["One is here.", "", " . "]
    half = perturb([text] * 400, "omission", 0.5, "en")
    assert {new.count("e is ") for new in half} <= {0, 1, 2, 3} and len(set(half)) == 8
    mask = np.ones(len(text), bool)
    mask[text.index("Two")] = False
    kept = perturb([text] * 100, "omission", 1.0, "en", editable=[mask] * 100)
    assert all("Two is there." in new for new in kept)
    assert perturb(["他病了。她很好。"] * 50, "omission", 1.0, "zh").count("他病了。") in range(10, 40)


def test_greek_question_marks_end_sentences():
    found = perturb(["Πού είναι; Εκεί."] * 40, "omission", 1.0, "el")
    assert set(found) == {"Πού είναι;", "Εκεί."}
    assert perturb(["Who; There."], "omission", 1.0, "en") == ["Who; There."]


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "The patient is ill.", "The patient isn't ill."),
        ("en", "Don't pay.", "Do pay."),
        ("en", "They CAN swim.", "They CAN'T swim."),
        ("en", "It is never late.", "It is never late."),
        ("de", "Gestern war er krank.", "Gestern war er nicht krank."),
        ("de", "Das ist ein Arzt.", "Das ist kein Arzt."),
        ("de", "Er sagt, dass sie krank ist.", "Er sagt, dass sie krank ist."),
        ("de", "Sie kann nicht kommen.", "Sie kann kommen."),
        ("nl", "Hij is een arts.", "Hij is geen arts."),
        ("fr", "Elle est malade.", "Elle n'est pas malade."),
        ("fr", "C’est vrai.", "Ce n’est pas vrai."),
        ("fr", "Il n'y a rien.", "Il n'y a rien."),
        ("fr", "Marie est-elle ici ?", "Marie est-elle ici ?"),
        ("es", "Ella es lista.", "Ella no es lista."),
        ("es", "Nadie ha venido.", "Nadie ha venido."),
        ("it", "C'è tempo.", "Non c'è tempo."),
        ("pt", "Não é verdade.", "É verdade."),
        ("ru", "Это можно сделать.", "Это нельзя сделать."),
        ("ru", "Он не был дома.", "Он был дома."),
        ("pl", "Ona jest chora.", "Ona nie jest chora."),
        ("uk", "Він був удома.", "Він не був удома."),
        ("el", "Θέλω να είναι εδώ.", "Θέλω να μην είναι εδώ."),
        ("tr", "Su var.", "Su yok."),
        ("fi", "Hän on lääkäri.", "Hän ei ole lääkäri."),
        ("id", "Ini adalah buku.", "Ini bukanlah buku."),
        ("vi", "Anh ấy có thể bơi.", "Anh ấy không thể bơi."),
        ("sw", "Hakuna shida.", "Kuna shida."),
        ("hi", "वह बीमार है।", "वह बीमार नहीं है।"),
        ("hi", "वह जा रहा है।", "वह जा रहा है।"),
        ("ur", "وہ بیمار ہے۔", "وہ بیمار نہیں ہے۔"),
        ("ar", "كان المريض نائما.", "لم يكن المريض نائما."),
        ("fa", "او کتاب ندارد.", "او کتاب دارد."),
        ("he", "יש לי זמן.", "אין לי זמן."),
        ("zh", "他是医生。", "他不是医生。"),
        ("zh", "但是你是否知道？", "但是你是否知道？"),
        ("ja", "毎日走ります。", "毎日走りません。"),
        ("ja", "高いです。ますます。", "高いです。ますます。"),
        ("ko", "갈 수 없습니다.", "갈 수 있습니다."),
    ],
)
def test_negation(language, text, expected):
    assert perturb([text], "negation", 1.0, language) == [expected]


def test_one_negation_per_text():
    found = set(perturb(["He is ill and she was well."] * 60, "negation", 1.0, "en"))
    assert found == {"He isn't ill and she was well.", "He is ill and she wasn't well."}


@pytest.mark.parametrize("language", sorted(CATALOG["negation"].languages))
def test_negations_are_reversible(language):
    """Every replacement maps back to its form, unless it merely removes a negation."""
    row = read("negations")["entries"][language]
    for form, options in row["forms"].items():
        for option in options:
            assert form in row["forms"].get(option, []) or len(option) < len(form), (form, option)
    table = negations(language)
    assert table.kept.tolist() == [options == (KEPT,) for options in table.lexicon.options]
    assert (~table.kept).sum() == len({form.lower() for form in row["forms"]})


def test_a_users_negations_have_no_rules(tmp_path):
    path = tmp_path / "negations.json"
    path.write_text(json.dumps({"je": "není"}), encoding="utf-8")
    assert perturb(["Kdo je to?"], "negation", 1.0, "cs", lexicon=path) == ["Kdo není to?"]
    assert perturb(["It is never late."], "negation", 1.0, "en", lexicon=Lexicon({"is": "was"})) == [
        "It was never late."
    ]


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "Today Anna met Bob Smith.", ["Today Bob Smith met Anna."]),
        ("en", "Anna met Bob.", ["Anna met Bob."]),  # the first word is always capitalized
        ("en", "The CIA and the UN met.", ["The UN and the CIA met."]),
        ("en", "So I like Anna, Anna.", ["So I like Anna, Anna."]),
        ("fr", "Elle va aux États-Unis avec Paul.", ["Elle va aux Paul avec États-Unis."]),
        ("de", "Im Haus ist kein Brot.", ["Im Brot ist kein Haus."]),
        ("ru", "Вчера Анна видела Бориса.", ["Вчера Бориса видела Анна."]),
        ("el", "Χθες η Άννα είδε τον Νίκο.", ["Χθες η Νίκο είδε τον Άννα."]),
    ],
)
def test_entity_exchange(language, text, expected):
    assert perturb([text], "entity_exchange", 1.0, language) == expected


def test_exchanged_names_keep_their_sources():
    text = "Today Anna met Bob and Carl."
    mask = np.ones(len(text), bool)
    mask[text.index("Carl")] = False
    (variant,) = variants([text] * 40, "entity_exchange", [1.0], "en", editable=[mask] * 40, align=True)
    assert set(variant.texts) == {"Today Bob met Anna and Carl."}
    for new, sources in zip(variant.texts, variant.sources, strict=True):
        assert [text[source] for source in sources] == list(new)
    assert len(set(perturb([text] * 40, "entity_exchange", 1.0, "en"))) == 3
