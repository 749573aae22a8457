"""FGSM and PGD in the space of word embeddings against one text at a time in numpy; projection; universal triggers."""

import dataclasses
import types

import jax
import numpy as np
import pytest

from itt_jax import tasks
from itt_jax.attack import attack_rows, get, goal_for, subjects, trigger_words
from itt_jax.attack.ascents import AscentFinder, projected
from itt_jax.attack.asking import Ascent
from itt_jax.attack.gradients import loss_of
from itt_jax.attack.trigger_words import TriggerReader
from itt_jax.attack.victim import EncoderVictim
from itt_jax.data import packing
from itt_jax.data.examples import assemble
from itt_jax.data.tokenizing import train_tokenizer
from itt_jax.errors import InputError
from tests.attack import reference
from tests.attack.test_victim import made

NAME = "embedded_inference_general"  # pairs
ASCENTS = (Ascent("l2", 4, 0.5, 1.2), Ascent("linf", 2, 0.6, 0.9))
AT = jax.jit(jax.grad(loss_of, argnums=2), static_argnums=(3, 4))


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_projection_is_the_nearest_point_of_the_ball(norm):
    rng = np.random.default_rng(0)
    moved, radius = (rng.normal(size=(40, 5)) * rng.uniform(0, 2, (40, 1))).astype(np.float32), 1.3
    order = 2 if norm == "l2" else np.inf
    found = np.asarray(projected(moved, radius, norm))
    assert (np.linalg.norm(found, order, axis=1) <= radius * (1 + 1e-6)).all()
    np.testing.assert_allclose(projected(found, radius, norm), found, rtol=1e-6)
    inside = np.linalg.norm(moved, order, axis=1) <= radius
    assert 5 < inside.sum() < 35 and np.array_equal(found[inside], moved[inside])
    others = rng.normal(size=(4000, 5))
    others *= radius * rng.uniform(0, 1, (4000, 1)) / np.linalg.norm(others, order, axis=1, keepdims=True)
    distance = np.linalg.norm(moved - found, axis=1)
    assert (np.linalg.norm(moved[:, None] - others, axis=2).min(1) >= distance - 1e-6).all()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("l1", 1, 1.0, 1.0), "norm: found 'l1', expected l2 or linf"),
        (("l2", 0, 1.0, 1.0), "steps: found 0, expected at least 1"),
        (("l2", 1, 1.0, 0.0), "radius: found 0.0, expected a number above 0"),
        (("l2", 1, float("nan"), 1.0), "step_size: found nan"),
    ],
)
def test_wrong_ascents(arguments, says):
    with pytest.raises(InputError, match=says):
        Ascent(*arguments)


@pytest.mark.parametrize("recipe", ["fgsm", "pgd", "universal_triggers"])
def test_kinds_are_named(recipe):
    with pytest.raises(
        InputError, match=f"'{recipe}' does not fit tasks of kind 'regression'; expected classification"
    ):
        get(recipe).goal_for(tasks.get("stsb"))


def alone(model, text, label):
    """A text as a batch of its own, and the places of the tokens of its second field."""
    _, _, tokenizer, *_ = model
    examples = assemble(tokenizer, [tokenizer.encode([own], "en") for own in text], 64, np.array([label], np.int32))
    ((_, batch),) = packing.stream(examples, 1, 64, 4)
    return batch, np.flatnonzero(batch.by_row["field_ids"][0] == 2)


def plain_ascent(model, text, label, ascent, edits):
    """The texts of an ascent, token by token."""
    _, _, tokenizer, encoder, head, params = model
    batch, places = alone(model, text, label)
    table = np.asarray(encoder.word_embeddings(params["encoder"]), np.float64)
    scale = np.linalg.norm(table, axis=1).mean() / (1 if ascent.norm == "l2" else np.sqrt(table.shape[1]))
    ids = batch.by_row["input_ids"][0]
    pieces, moved, found = tokenizer.pieces, np.zeros((len(ids), table.shape[1])), []
    for _ in range(ascent.steps):
        gradient = np.asarray(AT(params, batch, (table[ids] + moved)[None].astype(np.float32), encoder, head))[0]
        gains, new = [], []
        for place in places:
            g = gradient[place].astype(np.float64)
            step = np.sign(g) if ascent.norm == "linf" else g / np.linalg.norm(g)
            own = moved[place] + ascent.step_size * scale * step
            if ascent.norm == "linf":
                own = np.clip(own, -ascent.radius * scale, ascent.radius * scale)
            elif np.linalg.norm(own) > ascent.radius * scale:
                own *= ascent.radius * scale / np.linalg.norm(own)
            moved[place] = own
            inside = pieces[ids[place]].startswith("##")
            options = [
                v
                for v, piece in enumerate(pieces)
                if v not in tokenizer.special_ids and v != ids[place] and piece.startswith("##") == inside
            ]
            best = options[int(np.linalg.norm(table[options] - table[ids[place]] - own, axis=1).argmin())]
            new.append(best)
            gains.append(g @ (table[best] - table[ids[place]]))
        order = np.argsort(-np.array(gains), kind="stable")[:edits]
        for count in range(1, len(order) + 1):
            changed = list(ids[places])
            for k in order[:count]:
                changed[k] = new[k]
            ((_, spans),) = tokenizer.locate_whole([text[1]])
            written, last = "", 0
            for k, (start, stop) in enumerate(spans):
                own = pieces[new[k]].removeprefix("##") if k in order[:count] else text[1][start:stop]
                written, last = written + text[1][last:start] + own, stop
            written += text[1][last:]
            if tokenizer.encode([written], "en")[0].tolist() == changed and written not in found:
                found.append(written)
    return found


@pytest.fixture(scope="module")
def model():
    return made(NAME)


def texts_of(model):
    return list(zip(*model[1].fields.values(), strict=True))


@pytest.mark.slow
def test_ascents_are_those_of_one_text_at_a_time(model):
    _, rows, tokenizer, encoder, head, params = model
    finder, texts = AscentFinder(tokenizer, encoder, head, params, 64), texts_of(model)
    total = 0
    for ascent in ASCENTS:
        found = finder.ascents(texts, 1, rows.labels.tolist(), ascent, 3, "en")
        for text, label, own in zip(texts, rows.labels.tolist(), found, strict=True):
            assert own == plain_ascent(model, text, label, ascent, 3)
            total += len(own)
    assert total > 2 * len(texts)


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["fgsm", "pgd"])
def test_attacks_by_ascent_are_those_of_a_plain_search(model, recipe):
    task, rows, *own = model
    victim, cases = EncoderVictim(task, *own, 64), subjects(task, rows)
    attack = dataclasses.replace(get(recipe), budget=9)
    goal = attack.goal_for(task)
    found = attack_rows(attack, goal, cases, victim)
    finder = AscentFinder(*own, 64)
    for one in found:
        if one.result == "skipped":
            continue
        subject = one.subject
        label = int(subject.label)
        (texts,) = finder.ascents([subject.inputs(subject.text)], 1, [label], attack.search.ascent, 4, "en")
        texts = [text for text in texts if text != subject.text][:8]
        best, reached = (one.score_before, subject.text), None
        for text in texts:
            (score,), (hit,) = goal.judge(subject, label, victim.outputs([subject.inputs(text)], "en"))
            reached = text if hit and reached is None else reached
            best = (score, text) if score > best[0] + 1e-7 else best
        assert one.queries == 1 + len(texts) and one.text == (reached or best[1])
        before, after = (own[0].encode([text], "en")[0].tolist() for text in (subject.text, one.text))
        assert len(before) == len(after) and sum(a != b for a, b in zip(before, after, strict=True)) <= 4
    assert any(one.text != one.subject.text for one in found)


@pytest.mark.parametrize("family", ["bert", "modernbert"])
def test_every_place_of_a_trigger_has_words(family, monkeypatch):
    """Also the first, whose token has no mark in byte-level vocabularies."""
    task = tasks.get(NAME)
    rows = tasks.limit(tasks.load_rows(task, "test", "en"), 6)
    texts = list(zip(*rows.fields.values(), strict=True))
    tokenizer = train_tokenizer([own for text in texts for own in text], family, 150 if family == "bert" else 400)
    table = np.random.default_rng(0).normal(size=(tokenizer.vocabulary_size, 4)).astype(np.float32)
    ones = lambda params, batch, **model: np.ones((*batch.row_shape, 4), np.float32)  # noqa: E731
    monkeypatch.setattr(trigger_words, "_gradient", ones)
    encoder = types.SimpleNamespace(word_embeddings=lambda params: table)
    reader = TriggerReader(tokenizer, encoder, None, {"encoder": None}, 64)
    trigger = ("a", "a", "a")
    for place, words in enumerate(reader.trigger_words(texts, 1, rows.labels.tolist(), trigger, 5, "en")):
        before, after = trigger[:place], trigger[place + 1 :]
        ids = [tokenizer.encode([" ".join((*before, word, *after))], "en")[0] for word in words]
        scores = [float(table[own[place]].sum()) for own in ids]
        assert len(words) == 5 and {len(own) for own in ids} == {3} and scores == sorted(scores, reverse=True)


@pytest.mark.slow
def test_trigger_words_have_the_highest_mean_gradient(model):
    _, rows, tokenizer, encoder, head, params = model
    reader, texts, labels = TriggerReader(tokenizer, encoder, head, params, 64), texts_of(model), rows.labels.tolist()
    words = [piece for i, piece in enumerate(tokenizer.pieces) if piece.isalpha() and i not in tokenizer.special_ids]
    trigger = (words[0], words[5], words[9])
    found = reader.trigger_words(texts, 1, labels, trigger, 5, "en")
    table, gradient = np.asarray(encoder.word_embeddings(params["encoder"]), np.float64), 0.0
    for (first, second), label in zip(texts, labels, strict=True):
        batch, places = alone(model, (first, f"{' '.join(trigger)} {second}"), label)
        given = table[batch.by_row["input_ids"]].astype(np.float32)
        gradient += np.asarray(AT(params, batch, given, encoder, head), np.float64)[0][places[:3]]
    for place in range(3):
        ranked = sorted(words, key=lambda word: -gradient[place] @ table[tokenizer.pieces.index(word)])
        assert found[place] == ranked[:5]


@pytest.mark.slow
def test_triggers_are_those_of_a_plain_search_and_one_query_a_row(model):
    task, rows, *own = model
    victim, cases = EncoderVictim(task, *own, 64), subjects(task, rows)
    attack = get("universal_triggers")
    attack = dataclasses.replace(attack, candidates=dataclasses.replace(attack.candidates, start="a", each=4, rounds=3))
    goal = goal_for(task.kind)
    found = attack_rows(attack, goal, cases, victim)
    triggers = reference.triggers(cases, victim, own[2], TriggerReader(*own, 64), attack.candidates)
    assert attack.candidates.units(cases, goal, victim) == triggers
    for one in found:
        if one.result == "skipped":
            assert one.queries == 1
            continue
        assert one.queries == 2 and one.text == f"{triggers[int(one.subject.label)]} {one.subject.text}"
    for label, trigger in enumerate(triggers):
        mine = [one for one in found if one.result != "skipped" and one.subject.label == label]
        assert bool(mine) == bool(trigger)
        if mine:
            assert np.mean([one.score_after for one in mine]) > np.mean([one.score_before for one in mine])
    assert any(triggers)
