"""HotFlip's scores against finite differences and a plain product; flips that survive encoding."""

import jax
import numpy as np
import pytest

from itt_jax import tasks
from itt_jax.attack import attack_rows, get, subjects
from itt_jax.attack.flips import FlipFinder
from itt_jax.attack.gradients import loss_gradient, loss_of
from itt_jax.attack.victim import EncoderVictim
from itt_jax.data import packing
from itt_jax.data.examples import assemble
from itt_jax.errors import InputError
from tests.attack.test_victim import made

pytestmark = pytest.mark.slow
NAME = "embedded_inference_general"  # pairs
GRADIENT = jax.jit(loss_gradient, static_argnums=(2, 3))


@pytest.fixture(scope="module")
def model():
    return made(NAME)


OTHERS = [pytest.param(name, marks=pytest.mark.volume) for name in ("modernbert", "eurobert", "deberta")]


@pytest.fixture(scope="module", params=["bert", *OTHERS])
def of_family(request):
    return made(NAME, request.param)


def packed(model):
    """The rows as one packed batch, and their examples."""
    _, rows, tokenizer, *_ = model
    fields = [tokenizer.encode(texts, "en") for texts in rows.fields.values()]
    examples = assemble(tokenizer, fields, 64, rows.labels)
    ((indices, batch),) = packing.stream(examples, 8, 64, 32)
    return examples, indices, batch


def test_the_score_of_a_flip_is_the_slope_of_the_loss(of_family):
    """Along E_v - E_i at one token, whatever else is in the packed row."""
    _, _, _, encoder, head, params = of_family
    _, _, batch = packed(of_family)
    table = np.asarray(encoder.word_embeddings(params["encoder"]))
    given, gradient = table[batch.by_row["input_ids"]], np.asarray(GRADIENT(params, batch, encoder, head))
    loss = jax.jit(lambda embeddings: loss_of(params, batch, embeddings, encoder, head))
    rng = np.random.default_rng(0)
    for _ in range(8):
        row, place = (int(x) for x in rng.choice(np.argwhere(batch.by_row["field_ids"] > 0)))
        way = table[rng.integers(len(table))] - given[row, place]
        step, moved = 1e-2, np.zeros_like(given)  # losses of 50 have a resolution of 4e-6
        moved[row, place] = step * way
        slope = (float(loss(given + moved)) - float(loss(given - moved))) / (2 * step)
        assert gradient[row, place] @ way == pytest.approx(slope, rel=0.02, abs=1e-3)


@pytest.mark.parametrize("of_family", ["bert", OTHERS[0]], indirect=True)
def test_flips_are_the_best_of_those_that_survive(of_family):
    """Against one text at a time, every token of the vocabulary tried in numpy; the second is byte-level."""
    _, rows, tokenizer, encoder, head, params = of_family
    mark = "##" if encoder.family == "bert" else "Ġ"
    finder = FlipFinder(tokenizer, encoder, head, params, 64)
    texts = list(zip(*rows.fields.values(), strict=True))
    found = finder.flips(texts, 1, rows.labels.tolist(), 3, "en")
    examples, indices, batch = packed(of_family)
    table = np.asarray(encoder.word_embeddings(params["encoder"]))
    gradient = np.asarray(GRADIENT(params, batch, encoder, head))
    pieces = tokenizer.pieces
    for slot, i in enumerate(indices.tolist()):
        ids = tokenizer.encode([texts[i][1]], "en")[0].tolist()
        own = examples.fields[examples.offsets[i] : examples.offsets[i + 1]] == 2
        first = batch.by_example["summary_positions"][slot] + int(np.flatnonzero(own)[0])
        scored = []
        for place, old in enumerate(ids):
            g = gradient[batch.by_example["summary_rows"][slot], first + place]
            for new, piece in enumerate(pieces):
                if new != old and new not in tokenizer.special_ids:
                    if piece.startswith(mark) == pieces[old].startswith(mark):
                        scored.append((float(g @ (table[new] - table[old])), place, new))
        scored.sort(reverse=True)
        best = [[*ids[:place], new, *ids[place + 1 :]] for _, place, new in scored[:24]]
        ranks = [best.index(tokenizer.encode([text], "en")[0].tolist()) for text in found[i]]
        assert ranks == sorted(ranks) and len(ranks) <= 3
    assert sum(map(len, found)) > len(found)


def test_hotflip_lowers_the_score_and_is_the_same_whatever_is_live(model):
    task, rows, *own = model
    victim, cases = EncoderVictim(task, *own, 64), subjects(task, rows)
    attack = get("hotflip")
    goal = attack.goal_for(task)
    found = attack_rows(attack, goal, cases, victim)
    attacked = [one for one in found if one.result != "skipped"]
    assert attacked and all(one.score_after >= one.score_before for one in attacked)
    alone = attack_rows(attack, goal, cases, victim, live=1)
    assert [(one.text, one.queries) for one in alone] == [(one.text, one.queries) for one in found]
    for one in attacked:
        before, after = (own[0].encode([text], "en")[0].tolist() for text in (one.subject.text, one.text))
        assert len(before) == len(after) and sum(a != b for a, b in zip(before, after, strict=True)) <= 2


def test_hotflip_is_for_classification():
    with pytest.raises(InputError, match="'hotflip' does not fit tasks of kind 'regression'; expected classification"):
        get("hotflip").goal_for(tasks.get("stsb"))
