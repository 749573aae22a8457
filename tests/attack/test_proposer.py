"""A masked LM as proposer: against its scores on one text at a time, and wrong checkpoints in one line."""

import jax
import numpy as np
import pytest

from itt_jax import tasks
from itt_jax.attack import adapted, attack_rows, get
from itt_jax.attack.goals import UNTARGETED
from itt_jax.attack.proposer import proposer
from itt_jax.batch import Batch
from itt_jax.data.tokenizing import train_tokenizer
from itt_jax.errors import InputError
from itt_jax.models import make_encoder, make_head
from itt_jax.train.checkpoint import save_checkpoint
from tests.attack import reference
from tests.attack.scripted import ScriptedVictim, cases
from tests.system.runs import untrained

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A checkpoint of an untrained masked LM with words of one and of several tokens."""
    texts = [*tasks.load_rows(tasks.get("embedded_sentiment_legal"), "train", "en").fields["text"]]
    tokenizer = train_tokenizer([*texts, *(subject.text for subject in cases("en") for _ in range(20))], "bert", 400)
    sizes = {"layers": 1, "width": 16, "heads": 2, "feed_forward": 16}
    encoder = make_encoder("bert", **sizes, vocabulary_size=tokenizer.vocabulary_size, pad_id=tokenizer.pad_id)
    head = make_head(encoder, "masked_lm", tokenizer.vocabulary_size)
    params = {"encoder": encoder.init(jax.random.key(0)), "head": head.init(jax.random.key(1))}
    params = jax.tree.map(lambda x: x * 20 if x.ndim > 1 else x, params)
    path = tmp_path_factory.mktemp("proposer") / "masked"
    save_checkpoint(path, encoder, params, head, None, tokenizer=tokenizer)
    return path


def test_proposals_are_the_likeliest_whole_words(folder):
    own, kinds = proposer(str(folder)), set()

    @jax.jit
    def read(params, ids, mask):
        return own.head(params, own.encoder(params["encoder"], ids, mask), Batch({}, {}))

    for subject in cases("en"):
        places = range(len(subject.words))
        found = own.proposals(subject, places, 30)
        for place in places:
            word = "".join(subject.word(place))
            (before, ids, after) = (
                own.tokenizer.encode([text], "en")[0].tolist() if text else [] for text in subject.text.partition(word)
            )
            if subject.text.count(word) > 1 or "'" in word:
                continue
            kinds.add(len(ids) == 1)
            tokens = [*before, *(ids if len(ids) == 1 else [own.tokenizer.mask_id]), *after]
            tokens = [own.tokenizer.cls_id, *tokens, own.tokenizer.sep_id]
            padded = np.array([[*tokens, *[own.tokenizer.pad_id] * (48 - len(tokens))]])
            scores = np.asarray(read(own.params, padded, np.arange(48)[None] < len(tokens)))[0, 1 + len(before)]
            pieces = [own.tokenizer.pieces[i] for i in np.argsort(-scores)[:30].tolist()]
            words = [piece for piece in pieces if piece.isalpha() and piece.lower() != word.lower()]
            assert [new.lower() for new in found[place]] == [new.lower() for new in dict.fromkeys(words)]
    assert kinds == {True, False}


def test_bert_attack_is_the_greedy_search_with_a_limit_of_words(folder):
    attack = adapted(get("bert_attack"), proposer=str(folder))
    for own in attack_rows(attack, UNTARGETED, cases("en"), ScriptedVictim()):
        options = attack.candidates.options(own.subject, range(len(own.subject.words)))
        most = max(1, int(0.4 * len(own.subject.words)))
        counted = reference.Counted(own.subject)
        text = reference.greedy(own.subject, counted, options.__getitem__, "unknown", most)
        assert (own.text, own.queries) == (text, counted.queries) and own.text != own.subject.text


def test_checkpoints_that_propose_nothing_are_named(folder, tmp_path):
    with pytest.raises(InputError, match="needs --proposer"):
        get("bert_attack").candidates.check("en")
    with pytest.raises(InputError, match="--proposer absent: no such directory"):
        adapted(get("bert_attack"), proposer="absent").candidates.check("en")
    classifier = untrained(tmp_path / "classifier", tasks.get("embedded_sentiment_legal"))
    with pytest.raises(InputError, match="found a head for classification, expected a masked-LM head"):
        adapted(get("bert_attack"), proposer=str(classifier)).candidates.check("en")
    with pytest.raises(InputError, match="--proposer does not go with recipe 'charmer'; expected bert_attack"):
        adapted(get("charmer"), proposer=str(folder))
