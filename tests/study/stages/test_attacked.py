"""Training rows under attack: which, how they are read, and what is refused."""

import dataclasses

import jax
import numpy as np
import pytest

from itt_jax.config import validate
from itt_jax.data.examples import prepare
from itt_jax.data.tokenizing import train_tokenizer
from itt_jax.errors import InputError
from itt_jax.models import make_encoder, make_head
from itt_jax.study import arms, stages
from itt_jax.study.hardening import Attacked
from itt_jax.study.material import Selection
from itt_jax.study.stages.attacked import AttackedRows, check_attacked
from itt_jax.train.flops import forward_flops
from tests.study.stages.test_hardened import TASK, identity, place_of, sentences, task
from tests.study.studies import STUDY


@pytest.fixture(scope="module")
def toy():
    """Rows under attack, and a model that was not trained, so that it is right on about half of them."""
    rows = sentences(40)
    tokenizer = train_tokenizer(rows.fields["text"], "bert", 150)
    encoder = make_encoder(
        "bert", layers=1, width=32, heads=2, vocabulary_size=tokenizer.vocabulary_size, max_positions=48, pad_id=0
    )
    head = make_head(encoder, "classification", 2, pooling="mean")
    keys = jax.random.split(jax.random.key(0))
    params = {"encoder": encoder.init(keys[0]), "head": head.init(keys[1])}
    hardening = Attacked(budget=30, share=0.5)
    return AttackedRows(TASK, tokenizer, head, rows, prepare(tokenizer, rows, 48), hardening, 3, 48), params


@pytest.mark.slow
@pytest.mark.volume
def test_rows_on_which_the_attack_succeeds_are_read_as_it_left_them(toy):
    own, params = toy
    texts, flops = own.attack(params, np.arange(40), 1)
    assert own.attack(params, np.arange(40), 1) == (texts, flops)
    assert 0 < len(texts) < 20 and own.attack(params, np.arange(40), 2)[0].keys() != texts.keys()
    assert own.attack(params, np.array(sorted(texts)[:1] * 3), 1)[0] == dict(sorted(texts.items())[:1])  # others: none
    passes = flops / forward_flops(own.head.encoder, own.examples.lengths) * 40
    assert len(texts) < passes < 31 * 30  # at least one query for each, at most the budget for each attacked row
    found = own.reader(texts)(np.arange(40))
    changed = [texts.get(row, text) for row, text in enumerate(own.rows.fields["text"])]
    wanted = prepare(own.tokenizer, dataclasses.replace(own.rows, fields={"text": changed}), 48)
    assert np.array_equal(found.ids, wanted.ids) and np.array_equal(found.labels, own.examples.labels)
    assert own.reader({})(np.arange(3)).ids.tolist() == own.examples.select(np.arange(3)).ids.tolist()


def test_what_determines_attacked_rows_changes_the_id():
    ways = [Attacked(), Attacked(recipe="pruthi"), Attacked(budget=41), Attacked(share=0.3), Attacked(rounds=2)]
    assert len({identity(way) for way in ways}) == len(ways)


@pytest.mark.parametrize(
    ("hardening", "message"),
    [
        (Attacked(budget=0), "stages[0].hardening.budget: expected at least 1, found 0"),
        (Attacked(rounds=0), "stages[0].hardening.rounds: expected at least 1, found 0"),
        (Attacked(share=1.5), "stages[0].hardening.share: expected a share above 0, at most 1, found 1.5"),
    ],
)
def test_numbers_that_cannot_be_used_are_named(hardening, message):
    with pytest.raises(InputError) as error:
        validate(dataclasses.replace(STUDY, arms=("direct", arms.hardened(arms.DIRECT, hardening, "own", "own"))))
    assert message in str(error.value)


@pytest.mark.parametrize("recipe", ["deepwordbag", "hotflip", "bert_attack"])
def test_recipes_that_do_not_fit_are_named_by_the_plan(recipe):
    arm = arms.hardened(arms.DIRECT, Attacked(recipe), "own", "own")
    with pytest.raises(InputError, match=rf"recipe:? '{recipe}'"):
        stages.chain(arm.stages, place_of(arm))


def test_several_processes_are_refused_by_the_plan(monkeypatch):
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    with pytest.raises(InputError, match="arm: Attacked trains in one process, found 2"):
        check_attacked(Attacked(), [None], [None], None, "arm")


def test_kinds_whose_labels_depend_on_the_text_are_refused():
    tagging = task("token_classification", "text", labels=("O", "B-X"))
    with pytest.raises(InputError, match=r"fits classification and regression, .* toy is of kind token_classification"):
        check_attacked(Attacked(), [None], [tagging], None, "arm")
    with pytest.raises(InputError, match="one task in one language, found 2"):
        check_attacked(Attacked(), [None, None], [tagging, tagging], None, "arm")


def test_rows_into_which_nothing_can_be_written_are_refused_by_the_plan():
    rows = sentences(70)
    rows = dataclasses.replace(rows, fields={"text": ["a I"] * len(rows)})
    message = r"arm.recipe: attack 'deepwordbug' has no candidates in any of 70 rows of task 'toy' in language 'en'"
    with pytest.raises(InputError, match=message):
        check_attacked(Attacked(), [Selection("toy", "train", "en")], [TASK], lambda selection: rows, "arm")
    one = dataclasses.replace(rows, fields={"text": [*rows.fields["text"][1:], "good"]})
    check_attacked(Attacked(), [Selection("toy", "train", "en")], [TASK], lambda selection: one, "arm")
