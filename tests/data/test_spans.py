"""Questions and contexts: answers are read, located among tokens, labelled and decoded."""

import itertools
import json
import random

import numpy as np
import pytest

from itt_jax import perturb
from itt_jax.data import located
from itt_jax.data.answers import Answer, Answers
from itt_jax.data.sources.squad import read_squad
from itt_jax.data.span_decoding import NULL, SCORE, START, STOP, answers_of, decoded
from itt_jax.data.spans import FIRST, LAST, MAX_QUESTION, STRIDE, span_examples
from itt_jax.data.tokenizing import load_tokenizer, train_tokenizer
from itt_jax.errors import InputError
from itt_jax.kinds.question_answering import moved_answers
from itt_jax.metrics.answers import span_item_scores
from itt_jax.ragged import Ragged

TOKENIZERS = [
    "bert-base-uncased",
    "bert-base-multilingual-cased",
    "roberta-base",
    "xlm-roberta-base",
    "xlnet-base-cased",
]
FAMILIES = ["bert", "roberta", "xlnet"]
INSERTED = [
    "\u0301",
    "\u0338",
    "\u200b",
    "\u00ad",
    "\t",
    "\u00a0",
    "\u3000",
    "  ",
    "ﬁ",
    "½",
    "''",
    "``",
    "İ",
    "\x07",
    "Σ",
]
CONTEXTS = [
    "Ada Lovelace wrote the first program in 1843, for a machine that was never built.",
    "Der Rhein entspringt in den Alpen und mündet nach 1233 Kilometern in die Nordsee.",
    "नील नदी अफ़्रीका की सबसे लंबी नदी है।",
    "长城全长两万多公里，是世界上最长的城墙。",
    "แม่น้ำเจ้าพระยาไหลผ่านกรุงเทพมหานคร",
]
ANSWERS = ["1843", "in die Nordsee", "अफ़्रीका", "两万多公里", "กรุงเทพมหานคร"]
QUESTIONS = [
    "When did Ada Lovelace write the first program?",
    "Wohin mündet der Rhein?",
    "कौन सी नदी?",
    "长城有多长？",
    "ไหลผ่านที่ใด",
]


def gold_logits(examples) -> Ragged:
    """Scores of a perfect model."""
    marked = examples.labels[:, None] & np.array([FIRST, LAST])
    return Ragged((marked > 0).astype(np.float32), examples.offsets)


def answers_in(contexts: list[str], texts: list[str]) -> Answers:
    return Answers(tuple((Answer(c.index(t), t),) for c, t in zip(contexts, texts, strict=True)))


@pytest.fixture(scope="module", params=FAMILIES)
def tokenizer(request):
    texts = [text for _ in range(20) for text in CONTEXTS + QUESTIONS]
    return train_tokenizer(texts, request.param, 400 if request.param != "xlnet" else 180)


# --- Files


def squad_file(path, questions: list[dict], context: str = "The sky is blue today."):
    path.write_text(json.dumps({"data": [{"paragraphs": [{"context": context, "qas": questions}]}]}))
    return path


def test_reads_questions_with_distinct_answers(tmp_path):
    answers = [{"text": "blue", "answer_start": 11}, {"text": "is blue", "answer_start": 8}]
    path = squad_file(tmp_path / "a.json", [{"id": "q", "question": "Which?", "answers": [*answers, answers[0]]}])
    (question,) = read_squad(path)
    assert question.answers == (Answer(11, "blue"), Answer(8, "is blue"))
    assert (question.id, question.paragraph) == ("q", 0)


@pytest.mark.parametrize(
    ("questions", "message"),
    [
        ([{"text": "blue", "answer_start": 10}], "id 'q0': answer 'blue' at 10, where the context holds ' blu'"),
        ([{"text": "blue", "answer_start": 40}], "id 'q0': answer 'blue' at 40, beyond its end"),
        ([{"text": "blue", "answer_start": -4}], "id 'q0': answer 'blue' at -4, beyond its end"),
        ([{"text": "today.!", "answer_start": 16}], "id 'q0'"),
        ([{"text": "blue"}], "id 'q0': expected 'answer_start'"),
        ([{"text": "blue", "answer_start": 11}, None], "id 'q1': no answer, though others have one"),
    ],
)
def test_wrong_answers_are_named(tmp_path, questions, message):
    entries = [
        {"id": f"q{i}", "question": "?", "answers": [answer] if answer else []} for i, answer in enumerate(questions)
    ]
    with pytest.raises(InputError) as error:
        read_squad(squad_file(tmp_path / "wrong.json", entries))
    assert str(error.value).startswith(f"{tmp_path / 'wrong.json'}, ") and message in str(error.value)


def test_an_id_stands_once_unless_told(tmp_path):
    entry = {"id": "12", "question": "?", "answers": [{"text": "sky", "answer_start": 4}]}
    path = squad_file(tmp_path / "twice.json", [entry, entry])
    with pytest.raises(InputError, match=r"twice\.json, id '12': the id occurs twice"):
        read_squad(path)
    assert len(read_squad(path, unique_ids=False)) == 2


def test_other_files_are_refused(tmp_path):
    (tmp_path / "a.json").write_text('{"data": [\n1,,')
    with pytest.raises(InputError, match="line 2: not JSON"):
        read_squad(tmp_path / "a.json")
    (tmp_path / "b.json").write_text('{"data": [{"paragraphs": [{"qas": []}]}]}')
    with pytest.raises(InputError, match="paragraph 1: expected 'context'"):
        read_squad(tmp_path / "b.json")


# --- Tokens and their codepoints


def edited(text: str, generator: random.Random) -> str:
    """Insertions, doublings and deletions, as perturbations make them."""
    out = []
    for character in text:
        draw = generator.random()
        out.append(character * (2 if draw < 0.03 else 0 if draw < 0.06 else 1))
        if 0.06 < draw < 0.14:
            out.append(generator.choice(INSERTED))
    return "".join(out)


def check_located(tokenizer, texts: list[str]) -> None:
    """Ids are those of whole texts, places those of the tokenizer itself, and a word's tokens hold its letters."""
    found = located.locate(tokenizer, texts)
    whole = tokenizer.encode_whole(texts)
    np.testing.assert_array_equal(found.tokens.values, whole.values)
    np.testing.assert_array_equal(found.tokens.offsets, whole.offsets)
    again = located._tidied(texts, *located._arrays(tokenizer.locate_whole(texts)))
    np.testing.assert_array_equal(found.starts, again.starts)
    np.testing.assert_array_equal(found.stops, again.stops)
    for i, text in enumerate(texts):
        own = slice(found.tokens.offsets[i], found.tokens.offsets[i + 1])
        assert (np.diff(found.starts[own]) >= 0).all() and (np.diff(found.stops[own]) >= 0).all()
        assert (found.starts[own] <= found.stops[own]).all()
        place = 0
        for word in text.split():
            start = text.index(word, place)
            place = start + len(word)
            letters = [start + k for k, c in enumerate(word) if c.isalnum()]
            if letters:
                span = found.span(i, start, place)
                assert found.starts[span[0]] <= letters[0] and letters[-1] < found.stops[span[1]], (word, text)


@pytest.mark.parametrize("name", TOKENIZERS)
def test_places_on_real_vocabularies(data_root, name):
    tokenizer, generator = load_tokenizer(data_root / "tokenizers" / name), random.Random(5)
    check_located(tokenizer, CONTEXTS + [edited(text, generator) for text in CONTEXTS * 8])


def test_places_of_trained_tokenizers(tokenizer):
    generator = random.Random(6)
    check_located(tokenizer, [*CONTEXTS, "", " ", *(edited(text, generator) for text in CONTEXTS * 8)])


@pytest.mark.parametrize("name", TOKENIZERS)
@pytest.mark.parametrize("language", ["en", "ar", "hi", "zh", "th", "vi"])
@pytest.mark.slow
def test_the_tokens_of_real_answers_hold_them(data_root, name, language):
    questions = read_squad(data_root / f"crosslingual/xquad/xquad.{language}.json")[::8]
    contexts = list(dict.fromkeys(question.context for question in questions))
    found = located.locate(load_tokenizer(data_root / "tokenizers" / name), contexts, language)
    for question in questions:
        answer, i = question.answers[0], contexts.index(question.context)
        first, last = found.span(i, answer.start, answer.stop)
        assert answer.text.strip() in question.context[found.starts[first] : found.stops[last]]


def test_blanks_and_dropped_marks(data_root):
    uncased = load_tokenizer(data_root / "tokenizers" / "bert-base-uncased")
    text = "  cafe\u0301  noir"
    found = located.locate(uncased, [text])
    assert [text[a:b] for a, b in zip(found.starts, found.stops, strict=True)] == ["cafe\u0301", "noir"]
    assert found.span(0, 6, 7) == (0, 0) and found.span(0, 7, 9) is None
    with pytest.raises(InputError, match="lone surrogate"):
        located.locate(uncased, ["a\ud800"])


# --- Windows and labels


def reference_windows(length: int, room: int) -> list[tuple[int, int]]:
    """(start, tokens) of each window, as the published loop makes them."""
    found = []
    while len(found) * STRIDE < max(length, 1):
        start = len(found) * STRIDE
        found.append((start, min(length - start, room)))
        if length - start <= room:
            break
    return found


def reference_best(windows: list[tuple[int, int]], position: int) -> int:
    """The window in which a token has most context, as the published function says."""
    best_score, best = None, None
    for index, (start, length) in enumerate(windows):
        if start <= position <= start + length - 1:
            score = min(position - start, start + length - 1 - position) + 0.01 * length
            if best_score is None or score > best_score:
                best_score, best = score, index
    return best


def test_windows_follow_the_published_loop(tokenizer):
    contexts = [" ".join(CONTEXTS[:2]) * times for times in (1, 3, 12, 30)] + ["", "x"]
    questions = ["x", "Wohin? " * 60, "Wohin mündet der Rhein?", "ab", "a b c", "d"]
    examples = span_examples(tokenizer, questions, contexts, 256)
    windows = examples.windows
    assert examples.lengths.max() <= 256
    tokens, asked = tokenizer.encode(contexts), tokenizer.encode(questions)
    special = examples.lengths[0] - windows.counts[0] - asked.lengths[0]
    for row in range(len(contexts)):
        room = 256 - special - min(asked.lengths[row], MAX_QUESTION)
        expected = reference_windows(int(tokens.lengths[row]), int(room))
        own = range(windows.parts[row], windows.parts[row + 1])
        assert [windows.counts[f] for f in own] == [length for _, length in expected]
        best = [reference_best(expected, position) for position in range(tokens.lengths[row])]
        for k, (f, (start, length)) in enumerate(zip(own, expected, strict=True)):
            ids = examples.ids[examples.offsets[f] : examples.offsets[f + 1]]
            at = windows.positions[f]
            np.testing.assert_array_equal(ids[at : at + length], tokens[row][start : start + length])
            assert windows.best[f].tolist() == [best[start + j] == k for j in range(length)]


def test_layout_is_that_of_a_pair(tokenizer):
    from itt_jax.data.examples import assemble

    examples = span_examples(tokenizer, QUESTIONS, CONTEXTS, 384)
    windows = examples.windows
    fields = [tokenizer.encode(QUESTIONS), tokenizer.encode(CONTEXTS)]
    last = tokenizer.layout.context_first
    expected = assemble(tokenizer, fields[::-1] if last else fields, 384)
    for name in ("ids", "token_type_ids", "offsets", "summaries"):
        np.testing.assert_array_equal(getattr(examples, name), getattr(expected, name))
    assert (windows.positions == 0).all() if last else (windows.positions > 1).all()


def test_labels_are_the_answer_or_the_summary_token(tokenizer):
    filler = "Der Rhein entspringt in den Alpen. " * 30
    contexts = [filler + CONTEXTS[0] + " " + filler, CONTEXTS[1]]
    answers = answers_in(contexts, ["first program in 1843", "1233"])
    examples = span_examples(tokenizer, ["When?", "Wie lang?"], contexts, 200, "", answers)
    windows = examples.windows
    first, last = windows.located.span(0, answers.items[0][0].start, answers.items[0][0].stop)
    inside = 0
    for f, row in enumerate(windows.rows):
        own = examples.labels[examples.offsets[f] : examples.offsets[f + 1]]
        (start,), (stop,) = (np.flatnonzero(own & mark) for mark in (FIRST, LAST))
        if start == examples.summaries[f]:
            held = windows.first[f] <= first and last < windows.first[f] + windows.counts[f]
            assert stop == start and row == 0 and not held
            continue
        inside += 1
        shift = windows.first[f] - windows.positions[f]
        assert answers.texts[row][0] in windows.text(contexts[row], start + shift, stop + shift)
    assert inside > 1 and len(examples) > inside


def test_questions_that_are_too_long_are_refused(tokenizer):
    with pytest.raises(InputError, match="leaves no room for a context"):
        span_examples(tokenizer, ["Rhein " * 80], ["Rhein"], 64)


def test_short_rows_lose_no_token(tokenizer):
    windows = span_examples(tokenizer, ["Was?"], [" ".join(CONTEXTS * 6)], 48).windows
    seen = set()
    for first, count in zip(windows.first, windows.counts, strict=True):
        seen |= set(range(first, first + count))
    assert seen == set(range(len(windows.located.tokens.values)))


# --- Decoding


def reference_decoded(logits, at, count, best, cls, n_best, max_answer):
    """The best legal pair of one example, as the published loops find it."""
    starts, ends = (np.argsort(-logits[:, k], kind="stable")[:n_best] for k in (0, 1))
    found = []
    for start, end in itertools.product(starts, ends):
        inside = at <= start < at + count and at <= end < at + count
        if inside and best[start - at] and end >= start and end - start + 1 <= max_answer:
            found.append((logits[start, 0] + logits[end, 1], start, end))
    top = max(found, key=lambda pair: pair[0], default=(np.finfo(np.float32).min, -1, -1))
    return [*top, logits[cls].sum()]


@pytest.mark.parametrize(("n_best", "max_answer"), [(20, 30), (3, 4), (1, 30)])
def test_decoding_follows_the_published_loops(tokenizer, n_best, max_answer):
    contexts = [" ".join(CONTEXTS) * times for times in (1, 4, 8)]
    examples = span_examples(tokenizer, QUESTIONS[:3], contexts, 220)
    windows = examples.windows
    values = np.random.default_rng(1).normal(size=(len(examples.ids), 2)).astype(np.float32)
    logits = Ragged(values, examples.offsets)
    chosen = np.random.default_rng(2).permutation(len(examples))[: len(examples) - 1]
    found = decoded(logits[chosen], chosen, windows, examples.summaries[chosen], n_best, max_answer)
    for row, f in zip(found, chosen, strict=True):
        expected = reference_decoded(
            logits[int(f)],
            windows.positions[f],
            windows.counts[f],
            windows.best[int(f)],
            examples.summaries[f],
            n_best,
            max_answer,
        )
        np.testing.assert_array_equal(row, np.array(expected, np.float32))


def test_the_best_window_answers_and_nothing_is_an_empty_answer(tokenizer):
    context = " ".join(CONTEXTS * 8)
    examples = span_examples(tokenizer, ["Was?", "Was?"], [context, CONTEXTS[0]], 220)
    windows = examples.windows
    scores = np.full((len(examples), 4), -1, np.float32)
    scores[:, SCORE], scores[:, NULL] = np.arange(len(examples)), np.arange(len(examples))[::-1]
    scores[:, START] = scores[:, STOP] = windows.positions
    scores[-1] = np.finfo(np.float32).min, -1, -1, 0
    texts, kept = answers_of(scores, windows, [context, CONTEXTS[0]])
    last = windows.parts[1] - 1
    assert texts == [windows.text(context, windows.first[last], windows.first[last]), ""]
    np.testing.assert_array_equal(kept[0], [scores[last, SCORE], scores[: last + 1, NULL].min()])


def test_gold_scores_decode_to_the_answers(tokenizer):
    answers = answers_in(CONTEXTS, ANSWERS)
    examples = span_examples(tokenizer, QUESTIONS, CONTEXTS, 384, "", answers)
    windows = examples.windows
    logits = gold_logits(examples)
    texts, _ = answers_of(decoded(logits, np.arange(5), windows, examples.summaries), windows, CONTEXTS)
    for text, expected in zip(texts, ANSWERS, strict=True):
        assert expected in text


@pytest.mark.parametrize("name", sorted(perturb.CATALOG))
def test_gold_answers_survive_every_perturbation(name):
    """Perturbed, tokenized to bytes, labelled, decoded and scored: 100 % under every operator."""
    bytes_only, known = train_tokenizer(["a b c"], "roberta", 300), perturb.CATALOG[name].languages
    if not known:
        pytest.skip(f"{name} reads a lexicon of the user's")
    for language, context, text, question in zip(
        ["en", "de", "hi", "zh", "th"], CONTEXTS, ANSWERS, QUESTIONS, strict=True
    ):
        language = language if language in known else min(known)
        contexts, ids = [f"{context} {other}" for other in [*CONTEXTS, context]], [str(i) for i in range(6)]
        answers = answers_in(contexts, [text] * 6)
        masks = [~mask for mask in answers.covered(contexts)]
        for variant in perturb.variants(contexts, name, [0.1, 0.6], language, ids=ids, editable=masks, align=True):
            moved, applicable = moved_answers(answers, variant.texts, variant.sources)
            assert applicable.all()
            examples = span_examples(bytes_only, [question] * 6, variant.texts, 4096, language, moved)
            windows = examples.windows
            logits = gold_logits(examples)
            scores = decoded(logits, np.arange(len(examples)), windows, examples.summaries, max_answer=200)
            found, _ = answers_of(scores, windows, variant.texts)
            assert found == [text] * 6
            assert (span_item_scores(found, answers.texts)["exact_match"] == 1).all()


def test_a_row_that_lost_an_answer_is_not_applicable():
    answers = answers_in(CONTEXTS[:3], ANSWERS[:3])
    texts = [CONTEXTS[0].replace("1843", "1848"), "x" + CONTEXTS[1], CONTEXTS[2]]
    sources = [np.arange(len(CONTEXTS[0])), np.arange(-1, len(CONTEXTS[1])), np.arange(len(CONTEXTS[2]))]
    moved, applicable = moved_answers(answers, texts, sources)
    assert applicable.tolist() == [False, True, True]
    assert moved.items[1][0].start == answers.items[1][0].start + 1
    assert answers[np.array([2, 0])].texts == [[ANSWERS[2]], [ANSWERS[0]]]
    assert Answers.joined([answers, moved]).encoded() == Answers(answers.items + moved.items).encoded()
