"""Hardened stages: what is drawn depends on seed, item, epoch and draw alone, labels follow, and it helps."""

import dataclasses

import jax
import numpy as np
import pytest

from itt_jax import kinds
from itt_jax.config import Recipe, validate
from itt_jax.data.answers import Answer, Answers
from itt_jax.data.examples import prepare
from itt_jax.data.rows import Rows
from itt_jax.data.sources import LocalFiles
from itt_jax.data.tokenizing import train_tokenizer
from itt_jax.errors import InputError
from itt_jax.models import make_encoder, make_head
from itt_jax.perturb import perturb
from itt_jax.ragged import Ragged
from itt_jax.study import arms, stages
from itt_jax.study.hardening import PGD, SMART, Augmented, WorstOf, code_mixed
from itt_jax.study.material import Material, lexicon_digest
from itt_jax.study.stages import Place, Pretraining
from itt_jax.study.stages.hardened import DrawnForms
from itt_jax.tasks import Task
from itt_jax.train.jobs import Job, TaskData
from itt_jax.train.predict import predict
from itt_jax.train.stage import fine_tune_stack
from tests.study.studies import INFERENCE, STUDY

WORDS = ("good splendid pleasant lovely wonderful", "awful dreadful terrible horrid miserable")
NEUTRAL = "the weather yesterday seemed rather over our little village near".split()
MATERIAL = Material(STUDY)


def sentences(count: int, seed: int = 0) -> Rows:
    """Neutral words and two that say the label."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, count).astype(np.int32)
    texts = []
    for label in labels.tolist():
        words = [*random.choice(WORDS[label].split(), 2), *random.choice(NEUTRAL, 4)]
        texts.append(" ".join(random.permutation(words)))
    ids = np.array([f"toy/train/{seed}-{i}" for i in range(count)])
    return Rows("toy", "train", "en", "general", ids, {"text": texts}, labels)


METRIC = {"token_classification": "tag_accuracy", "question_answering": "squad_f1"}


def task(kind: str, *fields: str, labels: tuple[str, ...] = ()) -> Task:
    """A task whose source is not read here."""
    source = LocalFiles({"train": "toy.csv"}, "csv", {}, None)
    return Task("toy", kind, fields, (source,), labels, metric=METRIC.get(kind, "accuracy"))


def drawn(rows: Rows, own: Task, hardening, tokenizer, seed: int = 3, length: int = 48) -> DrawnForms:
    examples = kinds.kind(own.kind).encode(own, tokenizer, rows, length)
    languages = np.array([rows.language] * len(rows))
    return DrawnForms(own, tokenizer, rows, languages, examples, hardening, seed, length, {})


TASK = task("classification", "text", labels=("bad", "good"))


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(sentences(200).fields["text"], "bert", 150)


def test_a_form_is_a_function_of_seed_item_epoch_and_draw(tokenizer):
    rows = sentences(30)
    forms = drawn(rows, TASK, WorstOf(3, operators=("swap", "delete"), severities=(0.2, 0.4)), tokenizer)
    indices, epochs = np.array([7, 3, 7, 20, 7]), np.array([0, 0, 1, 1, 0])
    found = forms(indices, epochs)
    assert len(found) == 3 and all(len(form) == 5 for form in found)
    for place, (index, epoch) in enumerate(zip(indices, epochs, strict=True)):
        for draw, form in zip(forms(np.array([index]), np.array([epoch])), found, strict=True):
            own = form.select(np.array([place]))
            assert np.array_equal(draw.ids, own.ids) and draw.labels == own.labels == rows.labels[index]
    texts = [form.select(np.array([0])).ids.tolist() for form in found]
    assert len({tuple(ids) for ids in texts}) == 3  # draws differ
    assert texts != [form.select(np.array([2])).ids.tolist() for form in found]  # so do epochs
    assert texts == [form.select(np.array([4])).ids.tolist() for form in found]
    again = drawn(rows, TASK, forms.hardening, tokenizer, seed=4)(indices, epochs)
    assert any(not np.array_equal(one.ids, other.ids) for one, other in zip(found, again, strict=True))


def test_a_form_is_the_perturbed_text_and_the_rest_is_clean(tokenizer):
    rows = sentences(60)
    forms = drawn(rows, TASK, Augmented(0.5, operators=("swap",), severities=(0.3,)), tokenizer)
    (found,) = forms(np.arange(60), np.full(60, 2))
    ids = rows.item_ids.tolist()
    texts = perturb(rows.fields["text"], "swap", 0.3, "en", seed=3, ids=ids, replicate=2)
    noisy = prepare(tokenizer, dataclasses.replace(rows, fields={"text": texts}), 48)
    kinds_of = [
        (np.array_equal(own, clean), np.array_equal(own, changed))
        for own, clean, changed in zip(
            *(np.split(one.ids, one.offsets[1:-1]) for one in (found, forms.examples, noisy)), strict=True
        )
    ]
    assert all(clean or changed for clean, changed in kinds_of)
    assert 15 < sum(clean for clean, _ in kinds_of) < 45


def test_forms_of_a_changed_lexicon_are_refused(tokenizer, tmp_path):
    lexicon, rows = str(tmp_path / "en.txt"), sentences(8)
    (tmp_path / "en.txt").write_text("weather Wetter\n")
    own = dataclasses.replace(
        drawn(rows, TASK, code_mixed(lexicon), tokenizer), lexicons={lexicon: lexicon_digest(lexicon)}
    )
    every = np.arange(8), np.zeros(8, np.int64)
    own(*every)
    (tmp_path / "en.txt").write_text("weather Regen\n")
    with pytest.raises(InputError, match=f"^{lexicon}: has changed since the study was planned"):
        own(*every)


def test_tags_follow_their_words(tokenizer):
    texts = sentences(12).fields["text"]
    tags = [np.array([word in " ".join(WORDS).split() for word in text.split()], np.int32) for text in texts]
    rows = Rows("toy", "train", "en", "general", np.arange(12).astype(str), {"text": texts}, Ragged.of(tags, np.int32))
    tagging = task("token_classification", "text", labels=("O", "B-X"))
    words = [(word, 0) for word in NEUTRAL] + [(word, 1) for own in WORDS for word in own.split()]
    firsts = [(int(tokenizer.encode([word], "en").values[0]), says) for word, says in words]
    says_label = dict(firsts)
    assert all(says_label[first] == says for first, says in firsts)
    for length in (48, 12):  # long texts have several parts
        hardening = WorstOf(2, operators=("word_drop", "word_duplicate"), severities=(0.4,))
        forms = drawn(rows, tagging, hardening, tokenizer, length=length)
        indices = np.arange(len(forms.examples))
        for form in forms(indices, np.zeros(len(indices), int)):
            assert len(form) == len(indices) and form.lengths.max() <= length
            labelled = form.labels >= 0
            assert labelled.any()
            assert [says_label[i] for i in form.ids[labelled].tolist()] == form.labels[labelled].tolist()


def test_answers_follow_their_place(tokenizer):
    contexts = [text + " lived in Oslo since long" for text in sentences(10).fields["text"]]
    answers = Answers(tuple((Answer(text.index("Oslo"), "Oslo"),) for text in contexts))
    rows = Rows(
        "toy",
        "train",
        "en",
        "general",
        np.arange(10).astype(str),
        {"question": ["Where ?"] * 10, "context": contexts},
        answers,
    )
    answering = task("question_answering", "question", "context")
    tokenizer = train_tokenizer(contexts, "bert", 150)
    forms = drawn(rows, answering, WorstOf(2, operators=("word_drop", "swap"), severities=(0.5,)), tokenizer)
    answer = tokenizer.encode([" Oslo"], "en").values.tolist()
    indices = np.arange(len(forms.examples))
    for form in forms(indices, np.zeros(len(indices), int)):
        assert not np.array_equal(form.ids, forms.examples.ids)
        for first, last in zip(np.flatnonzero(form.labels & 1), np.flatnonzero(form.labels & 2), strict=True):
            assert form.ids[first : last + 1].tolist() == answer


# --- In a plan


def place_of(arm: arms.Arm, target=INFERENCE) -> Place:
    spec = STUDY.encoders[0]
    return Place(spec, target, arm, 3, Pretraining(spec=spec, id="root"), MATERIAL)


def identity(hardening) -> str:
    arm = arms.hardened(arms.DIRECT, hardening, "own", "own")
    return stages.chain(arm.stages, place_of(arm))[0].id


def test_what_determines_a_hardened_stage_changes_its_id(tmp_path):
    (tmp_path / "words.txt").write_text("patient Patientin\n")
    (tmp_path / "same.txt").write_text("patient Patientin\n")
    plain = stages.chain(arms.DIRECT.stages, place_of(arms.DIRECT))[0].id
    ways = [
        *(WorstOf(2), WorstOf(3), WorstOf(2, severities=(0.2,)), Augmented(), PGD(), PGD(radius=0.3), SMART()),
        *(code_mixed(), code_mixed(str(tmp_path / "words.txt"))),
    ]
    found = [identity(way) for way in ways]
    assert len({plain, *found}) == len(ways) + 1
    assert identity(code_mixed(str(tmp_path / "same.txt"))) == found[-1]


@pytest.mark.parametrize(
    ("hardening", "message"),
    [
        (WorstOf(0), "stages[0].hardening.k: expected at least 1, found 0"),
        (WorstOf(2, operators=("swop",)), "operator in study.arms.own.stages[0].hardening.operators: 'swop'"),
        (WorstOf(2, operators=()), "stages[0].hardening.operators: expected at least one"),
        (WorstOf(2, operators=("negation",)), "hardening.operators: 'negation' may change the label"),
        (WorstOf(2, severities=(2.0,)), "stages[0].hardening.severities: expected numbers from 0 to 1"),
        (Augmented(0.0), "stages[0].hardening.share: expected a share above 0, at most 1, found 0.0"),
        (Augmented(lexicon="words.txt"), "stages[0].hardening.lexicon: none of the operators reads one"),
        (PGD(steps=0), "stages[0].hardening.steps: expected at least 1"),
        (SMART(radius=-1.0), "stages[0].hardening.radius: expected a positive number"),
        (SMART(weight=0.0), "stages[0].hardening.weight: expected a positive number"),
        (WorstOf("4"), "hardening.k: Input should be a valid integer"),
    ],
)
def test_what_cannot_be_used_is_one_line_with_its_field(hardening, message):
    own = arms.hardened(arms.DIRECT, hardening, "own", "own")
    with pytest.raises(InputError) as error:
        validate(dataclasses.replace(STUDY, arms=("direct", own)))
    assert message in str(error.value) and "\n" not in str(error.value)


def test_what_does_not_fit_the_rows_is_an_error_of_the_plan():
    arm = arms.hardened(arms.DIRECT, code_mixed("none/{language}.txt"), "own", "own")
    with pytest.raises(InputError, match=r"arm 'own': hardening.lexicon: lexicon none/en.txt"):
        stages.chain(arm.stages, place_of(arm))
    everywhere = dataclasses.replace(arms.TARGET, languages="all", hardening=WorstOf(2, operators=("contractions",)))
    with pytest.raises(InputError, match=r"hardening.operators: perturbation 'contractions' has no table for language"):
        stages.chain((everywhere,), place_of(arms.DIRECT))


# --- It helps


@pytest.mark.slow
@pytest.mark.volume
def test_hardened_training_lowers_the_loss_on_perturbed_text(tokenizer):
    rows, unseen = sentences(120), sentences(60, seed=1)
    texts = perturb(unseen.fields["text"], "swap", 0.3, "en", seed=9)
    noisy = prepare(tokenizer, dataclasses.replace(unseen, fields={"text": texts}), 48)
    encoder = make_encoder(
        "bert", layers=1, width=32, heads=2, vocabulary_size=tokenizer.vocabulary_size, max_positions=48, pad_id=0
    )
    head, params = make_head(encoder, "classification", 2, pooling="mean"), {"encoder": encoder.init(jax.random.key(0))}
    recipe = Recipe(steps=90, batch_size=16, max_length=48, dropout=False, warmup=0.0, keep="last", packed=False)

    def loss(hardening) -> float:
        examples = prepare(tokenizer, rows, 48)
        forms = hardening and drawn(rows, TASK, hardening, tokenizer)
        data = TaskData("toy", head, examples, kinds.kind("classification"), 2, forms=forms)
        (found,) = fine_tune_stack(encoder, [Job([data], None, params, recipe, 3e-3, 0, hardening=hardening)])
        logits = predict(encoder, head, found.params, noisy)
        return float(np.mean(np.logaddexp.reduce(logits, 1) - logits[np.arange(60), unseen.labels]))

    swaps = {"operators": ("swap",), "severities": (0.3,)}
    plain, augmented, worst = map(loss, (None, Augmented(0.8, **swaps), WorstOf(3, **swaps)))
    assert augmented < 0.9 * plain and worst < 0.9 * plain, (plain, augmented, worst)
