"""Lock-step gives the texts and the numbers of queries of plain references, one row and one text at a time."""

import dataclasses
import types

import numpy as np
import pytest

from itt_jax.attack import adapted, attack_rows, get, subjects
from itt_jax.attack.candidates import Operators, letters_like
from itt_jax.attack.constraints import edit_distance
from itt_jax.attack.goals import MARGIN, UNTARGETED, goal_for
from itt_jax.attack.search.evolution import Evolution
from itt_jax.attack.search.hotflip import HotFlip
from itt_jax.errors import InputError
from tests.attack import reference
from tests.attack.scripted import TEXTS, ScriptedVictim, cases, flips_of, logits, rows, task

BUDGETS = (None, 1, 7, 60)


def attempts(attack, language, victim=None, live=64, **changes):
    goal = goal_for("classification", attack.goals)
    return attack_rows(attack, goal, cases(language, **changes), victim or ScriptedVictim(), live=live)


def assert_same(attack, language, search):
    """Lock-step equals `search(subject, counted)` with every budget."""
    for budget in BUDGETS:
        for own in attempts(dataclasses.replace(attack, budget=budget), language):
            counted = reference.Counted(own.subject, budget)
            text = search(own.subject, counted)
            assert (own.text, own.queries) == (text, counted.queries)
            assert own.result == ("succeeded" if logits(text).argmax() != own.subject.label else "failed")


def drawn(subject, name, i, low, high):
    """The drawn place of an edit in word i, of low ... high - 1."""
    return low + subject.draw(high - low, name, i) if high > low else None


def letter(subject, name, i, k):
    """The drawn letter for a place of a word."""
    letters = letters_like(subject.word(i)[k][0], subject.language)
    return letters[subject.draw(len(letters), name, "letter", i, k)] if letters else None


def is_han(subject, word):
    """Whether a word is a Chinese character."""
    return subject.language == "zh" and len(word) == 1 and "\u4e00" <= word[0] <= "\u9fff"


def deepwordbug(subject, i):
    word, found = list(subject.word(i)), []
    n = len(word)
    if n < 2 and not is_han(subject, word):
        return []
    if n > 1:
        k = drawn(subject, "swap", i, 0, n - 1)
        found.append([*word[:k], word[k + 1], word[k], *word[k + 2 :]])
    k = drawn(subject, "substitute", i, 0, n)
    if new := letter(subject, "substitute", i, k):
        found.append([*word[:k], new, *word[k + 1 :]])
    k = drawn(subject, "delete", i, 0, n)
    found.append(word[:k] + word[k + 1 :])
    k = drawn(subject, "insert", i, 0, n)
    if new := letter(subject, "insert", i, k):
        found.append([*word[:k], new, *word[k:]])
    return [own for own in dict.fromkeys(map("".join, found)) if own != "".join(word)]


def textbugger(subject, i):
    from itt_jax.perturb import tables

    word, found = list(subject.word(i)), []
    n = len(word)
    if is_han(subject, word):
        return [" " + word[0], ""]
    if n > 1 and (k := drawn(subject, "space", i, 1, n - 1)) is not None:
        found.append([*word[:k], " ", *word[k:]])
    if n > 1 and (k := drawn(subject, "delete", i, 1, n - 1)) is not None:
        found.append(word[:k] + word[k + 1 :])
    if n > 1 and (k := drawn(subject, "swap", i, 1, n - 2)) is not None:
        found.append([*word[:k], word[k + 1], word[k], *word[k + 2 :]])
    alike = tables.read("homoglyphs")["alike"]
    for k in range(1, n - 1):
        found += [[*word[:k], other + word[k][1:], *word[k + 1 :]] for other in alike.get(word[k][0], ())]
    return [own for own in dict.fromkeys(map("".join, found)) if own != "".join(word)]


def pruthi(subject, i):
    from itt_jax.perturb.characters import keyboard_layouts

    word, found = list(subject.word(i)), []
    n = len(word)
    for k in range(1, n - 2):
        found.append([*word[:k], word[k + 1], word[k], *word[k + 2 :]])
    for k in range(1, n - 1):
        found.append(word[:k] + word[k + 1 :])
    for k in range(1, n - 1):
        if new := letter(subject, "insert", i, k):
            found.append([*word[:k], new, *word[k:]])
    beside = keyboard_layouts()[subject.language]["beside"]
    for k in range(1, n - 1):
        found += [[*word[:k], other + word[k][1:], *word[k + 1 :]] for other in beside.get(word[k][0], ())]
    return [own for own in dict.fromkeys(map("".join, found)) if own != "".join(word)]


@pytest.mark.parametrize("language", TEXTS)
def test_deepwordbug(language):
    assert all(any(deepwordbug(own, i) for i in range(len(own.words))) for own in cases(language))
    assert_same(
        get("deepwordbug"),
        language,
        lambda subject, counted: reference.greedy(subject, counted, lambda i: deepwordbug(subject, i), "unknown"),
    )


@pytest.mark.parametrize("language", TEXTS)
def test_textbugger(language):
    assert all(any(textbugger(own, i) for i in range(len(own.words))) for own in cases(language))
    assert_same(
        get("textbugger"),
        language,
        lambda subject, counted: reference.greedy(subject, counted, lambda i: textbugger(subject, i), "delete"),
    )


@pytest.mark.parametrize("language", ["en", "ru", "hi", "ar", "th"])  # Chinese has no keyboard
def test_pruthi(language):
    assert_same(
        get("pruthi"),
        language,
        lambda subject, counted: reference.one_word(subject, counted, lambda i: pruthi(subject, i)),
    )


@pytest.mark.parametrize("language", TEXTS)
def test_bad_characters(language):
    attack = get("bad_characters")
    attack = dataclasses.replace(attack, search=Evolution(edits=2, population=8, generations=4))
    assert_same(
        attack,
        language,
        lambda subject, counted: reference.evolution(
            subject, counted, attack.candidates.single_edits(subject), attack.search
        ),
    )


@pytest.mark.parametrize("language", TEXTS)
def test_hotflip(language):
    attack = dataclasses.replace(get("hotflip"), search=HotFlip(edits=3, width=2, each=6))
    assert_same(
        attack,
        language,
        lambda subject, counted: reference.hotflip(subject, counted, flips_of, attack.search),
    )


def test_imperceptible_edits():
    """By hand: one place of each kind, in Latin; letters that join are not reordered."""
    (first, *_), (arabic, *_) = cases("en"), cases("ar")
    edits = get("bad_characters").candidates.single_edits(first)
    made = {"".join((*first.clusters[:a], new, *first.clusters[b:])) for own in edits for a, b, new in own}
    for text in ("T\u200bhe patient", "Тhe patient", "\u2066\u202ehT\u202c\u2069e patient"):
        assert any(own.startswith(text) for own in made), text
    assert any(own[2] == "\b" and own[0] == "T" for own in made)
    reordered = [
        new for own in get("bad_characters").candidates.single_edits(arabic) for _, _, new in own if "\u202d" in new
    ]
    assert not any(set(new) & set("نمجبلي") for new in reordered)


@pytest.mark.parametrize("language", ["en", "ru", "hi", "ar", "zh"])  # Thai has no built-in synonyms
def test_synonyms_and_code_mixing(language, tmp_path):
    words = {"".join(subject.word(i)) for subject in cases(language) for i in range(len(subject.words))}
    words = sorted({word.lower() for word in words})[::2]
    lexicon = tmp_path / "words.txt"
    lexicon.write_text("".join(f"{word}\t{word[::-1]}x\t{word}y\n" for word in words), encoding="utf-8")

    def options(subject, i):
        word = "".join(subject.word(i))
        found = [word.lower()[::-1] + "x", word.lower() + "y"] if word.lower() in words else []
        return [own.capitalize() if word[0].isupper() else own for own in found]

    assert_same(
        adapted(get("textfooler"), lexicon=str(lexicon)),
        language,
        lambda subject, counted: reference.greedy(subject, counted, lambda i: options(subject, i), "delete"),
    )
    assert_same(
        adapted(get("code_mixing"), lexicon=str(lexicon)),
        language,
        lambda subject, counted: reference.beam(subject, counted, lambda i: options(subject, i), 5),
    )


@pytest.mark.parametrize(
    ("language", "text", "entries", "words", "changed"),
    [
        ("zh", "人在新病房里。", "新\tx\n新病房\t新屋", "人|在|新病房|里", "人在新屋里。"),
        ("vi", "Anh ấy bắt đầu đi.", "bắt\tx\nBắt đầu\tkhởi đầu", "Anh|ấy|bắt đầu|đi", "Anh ấy khởi đầu đi."),
        ("th", "เราไม่พบหมอ", "ไม่พบ\tไร้", "เรา|ไม่พบ|หม|อ", "เราไร้หมอ"),
        ("en", "A well known man.", "well known\tfamous\nman\tperson", "A|well|known|man", "A well known person."),
    ],
)
def test_entries_of_several_words(tmp_path, language, text, entries, words, changed):
    """The longest entry is one word where scripts or spaces do not mark words; elsewhere phrases stay."""
    (tmp_path / "words.txt").write_text(entries, encoding="utf-8")
    attack = adapted(get("textfooler"), lexicon=str(tmp_path / "words.txt"))
    (subject,) = subjects(task(languages=tuple({"en", language})), rows(language, texts=[text]))
    cut = attack.candidates.cut(subject)
    assert ["".join(cut.word(i)) for i in range(len(cut.words))] == words.split("|")
    (own,) = attack_rows(attack, UNTARGETED, [subject], ScriptedVictim(lambda own: np.array([own == text, 0.5, 0])))
    assert own.text == changed
    protected = dataclasses.replace(subject, allowed=np.zeros(len(subject.clusters), bool))
    assert attack.candidates.cut(protected).words == subject.words


def test_languages_without_a_lexicon_are_named():
    with pytest.raises(InputError, match="has no table for language 'th'"):
        get("textfooler").candidates.check("th")


@pytest.mark.parametrize("language", TEXTS)
def test_charmer(language):
    attack = get("charmer")
    attack = dataclasses.replace(attack, search=dataclasses.replace(attack.search, places=3, edits=3))
    alphabet = sorted({unit for subject in cases(language) for unit in subject.clusters})
    assert_same(
        attack, language, lambda subject, counted: reference.charmer(subject, counted, alphabet, places=3, edits=3)
    )


@pytest.mark.parametrize("places", [1, 5, None])
def test_charmer_with_one_edit_is_bounded_by_exhaustive_search(places):
    attack = get("charmer")
    attack = dataclasses.replace(attack, search=dataclasses.replace(attack.search, places=places, edits=1))
    for own in attempts(attack, "en")[:1]:
        alphabet = sorted({unit for subject in cases("en") for unit in subject.clusters})
        text, texts = own.subject.text, set()
        for i in range(len(text) + 1):
            for unit in ("", *alphabet):
                texts |= {text[:i] + unit + text[i:], text[:i] + unit + text[i + 1 :]}
        best = max(MARGIN.judge(own.subject, own.subject.label, [logits(other)])[0][0] for other in texts)
        assert own.score_after <= best and (places is not None or own.score_after == best)


@pytest.mark.parametrize("language", TEXTS)
def test_worst_of_draws(language):
    from itt_jax.perturb import variants

    attack = get("worst_of")
    for i, own in enumerate(attempts(attack, language, seed=3)):
        texts = []
        for name in attack.candidates.operators:
            made = variants(
                [own.subject.text], name, [0.2], language, 3, ids=[f"scripted/test/{i}"], field="hypothesis",
                replicates=range(8),
            )  # fmt: skip
            texts += [one.texts[0] for one in made]
        texts = [text for text in dict.fromkeys(texts) if text != own.subject.text]
        scores = [UNTARGETED.judge(own.subject, own.subject.label, [logits(text)])[0][0] for text in texts]
        assert own.queries == 1 + len(texts) and own.text == texts[int(np.argmax(scores))]


def test_operators_change_one_word_at_a_time():
    for own in attempts(dataclasses.replace(get("greedy_operators")), "hi"):
        options = get("greedy_operators").candidates.options(own.subject, [0, 2])
        assert all(options.values()) and own.subject.word(0) != own.subject.word(2)
        for place, words in options.items():
            for word in words:
                text = own.subject.wording.replaced(place, word).text
                assert text.split(" ")[:place] == own.subject.text.split(" ")[:place]
        assert edit_distance(own.subject.clusters, own.text) <= 30


def test_a_word_that_takes_its_space_along_has_no_other_form(monkeypatch):
    """Without "b " the text still begins with "a " and ends with " a", but no word in place of "b" makes it."""
    made = [types.SimpleNamespace(texts=[text]) for text in ("a a", "a  a", "a bb a")]
    monkeypatch.setattr("itt_jax.attack.candidates.operators.variants", lambda *given, **more: made)
    (subject,) = subjects(task(), rows("en", texts=["a b a"]))
    assert Operators(("swap",), makes="words").options(subject, [1]) == {1: ["", "bb"]}
    made.pop(1)
    assert Operators(("swap",), makes="words").options(subject, [1]) == {1: ["bb"]}


def test_the_random_baseline_stays_within_its_budget_and_depends_on_the_seed():
    attack = dataclasses.replace(get("random"), budget=33)
    first, again, other = (attempts(attack, "en", seed=seed) for seed in (0, 0, 1))
    assert [own.text for own in first] == [own.text for own in again] != [own.text for own in other]
    assert all(own.queries <= 33 for own in first)
    assert all(own.queries == 33 for own in first if own.result == "failed")


@pytest.mark.parametrize("name", ["charmer", "deepwordbug", "textbugger", "random"])
def test_the_number_of_live_rows_changes_nothing(name):
    """And rows enter when others leave: no call is for more rows than are live."""
    attack = get(name)
    if name == "charmer":
        attack = dataclasses.replace(attack, search=dataclasses.replace(attack.search, places=2, edits=2))
    together, apart = ScriptedVictim(), ScriptedVictim()
    assert [(own.text, own.queries) for own in attempts(attack, "ru", together)] == [
        (own.text, own.queries) for own in attempts(attack, "ru", apart, live=1)
    ]
    assert len(together.asked) < len(apart.asked) and sum(together.asked) == sum(apart.asked)


def test_repeated_texts_count_and_are_not_computed():
    attack = get("charmer")
    attack = dataclasses.replace(attack, search=dataclasses.replace(attack.search, places=2, edits=2))
    victim = ScriptedVictim()
    assert sum(victim.asked) == 0
    found = attempts(attack, "en", victim)
    assert sum(victim.asked) < sum(own.queries for own in found)


def test_a_row_that_is_wrong_before_is_skipped():
    subject = dataclasses.replace(cases("en")[0], label=np.int32((cases("en")[0].label + 1) % 3))
    (own,) = attack_rows(get("deepwordbug"), UNTARGETED, [subject], ScriptedVictim())
    assert (own.result, own.queries, own.text) == ("skipped", 1, subject.text)


def test_protected_text_is_never_edited():
    for name in ("charmer", "deepwordbug", "worst_of", "random"):
        for subject in cases("en"):
            allowed = np.ones(len(subject.clusters), bool)
            allowed[4:11] = False  # "patient", "ouldn't"
            kept = "".join(subject.clusters[4:11])
            own = dataclasses.replace(subject, allowed=allowed)
            attack = get(name)
            if name == "charmer":
                attack = dataclasses.replace(attack, search=dataclasses.replace(attack.search, places=2, edits=3))
            (attempt,) = attack_rows(attack, goal_for("classification", attack.goals), [own], ScriptedVictim())
            assert kept in attempt.text and attempt.text != own.text
