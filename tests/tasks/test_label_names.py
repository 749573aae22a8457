"""Which output is which label: by name, by a synonym of the table, by the user's word, never by a guess."""

import dataclasses

import pytest

from itt_jax import tasks
from itt_jax.errors import InputError
from itt_jax.tasks.label_names import SYNONYMS, output_order, table_labels

XNLI, SST2, PANX, PAWSX = (tasks.get(name) for name in ("xnli", "sst2", "panx", "pawsx"))


@pytest.mark.parametrize(
    ("task", "names", "expected"),
    [
        (XNLI, None, [0, 1, 2]),
        (XNLI, ("contradiction", "neutral", "entailment"), [2, 1, 0]),
        (XNLI, ("CONTRADICTION", "ENTAILMENT", "Neutral"), [1, 2, 0]),
        (XNLI, ("0", "1", "2"), [0, 1, 2]),
        (SST2, ("pos", "NEG"), [1, 0]),
        (PAWSX, ("equivalent", "not_equivalent"), [1, 0]),
        (PANX, ("B-PERSON", "I-PERSON", "O", "B-ORG", "I-ORG", "b-loc", "I-LOCATION"), [2, 5, 6, 3, 4, 0, 1]),
    ],
)
def test_names_in_any_order_and_case(task, names, expected):
    assert output_order(task, names) == expected


@pytest.mark.parametrize(
    ("task", "names"),
    [
        (XNLI, ("contradictory", "neutral", "entailment")),
        (XNLI, ("c", "n", "e")),
        (XNLI, ("entailment", "entails", "contradiction")),
        (XNLI, ("1", "0", "2")),
        (XNLI, ("LABEL_1", "LABEL_0", "LABEL_2")),
        (SST2, ("null", "null")),
        (SST2, ("false", "true")),
        (PANX, ("O", "I-LOC", "I-ORG", "I-PER", "B-MISC", "B-LOC", "B-ORG")),
        (tasks.get("trec"), tuple("012345")),  # its files number the classes in another order
        (tasks.get("tweet_sentiment_binary"), ("0", "1")),
    ],
)
def test_other_names_are_refused_with_both_lists(task, names):
    with pytest.raises(InputError) as error:
        output_order(task, names)
    assert ", ".join(names) in str(error.value) and ", ".join(task.labels) in str(error.value)
    assert f"--labels NAME={task.labels[0]},NAME={task.labels[1]},..." in str(error.value)


def test_labels_that_differ_in_case_or_are_numbers_are_compared_as_they_are():
    plain = tasks.get("tatoeba").sources
    cased = dataclasses.replace(SST2, labels=("A", "a"), sources=plain)
    assert output_order(cased, ("a", "A")) == [1, 0]
    ratings = dataclasses.replace(SST2, labels=("1", "2"), sources=plain)
    assert output_order(ratings, ("2", "1")) == [1, 0]
    with pytest.raises(InputError, match="labels are 0, 1"):
        output_order(ratings, ("0", "1"))


@pytest.mark.parametrize(
    ("names", "given", "expected"),
    [
        (("c", "n", "e"), "c=contradiction, e=entailment, n=neutral", [2, 1, 0]),
        (("c", "n", "e"), "0=contradiction,2=entailment,n=neutral", [2, 1, 0]),
        (("null",) * 3, "2=neutral,0=contradiction,1=entailment", [1, 2, 0]),
        (None, "LABEL_2=entailment,LABEL_1=neutral,0=contradiction", [2, 1, 0]),
        (("1", "0", "x, y"), "0=entailment,1=neutral,2=contradiction", [1, 0, 2]),
    ],
)
def test_the_user_says_which_is_which(names, given, expected):
    assert output_order(XNLI, names, given) == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("", "expected NAME=LABEL"),
        ("c", "expected NAME=LABEL"),
        ("c=contradiction", "found none for entailment, neutral"),
        (
            "c=contradiction,n=neutral,e=entails",
            "unknown label of task 'xnli' in --labels: 'entails'",
        ),
        ("c=contradiction,n=neutral,k=entailment", "unknown output in --labels: 'k'"),
        ("c=contradiction,n=neutral,3=entailment", "unknown output in --labels: '3'"),
        ("c=contradiction,0=neutral,e=entailment", "output '0' is given twice"),
        ("c=contradiction,n=contradiction,e=entailment", "label 'contradiction' is given twice"),
    ],
)
def test_what_does_not_say_it_is_one_line(given, message):
    with pytest.raises(InputError, match=message):
        output_order(XNLI, ("c", "n", "e"), given)
    with pytest.raises(InputError, match="2 outputs are called 'a'"):
        output_order(XNLI, ("a", "a", "b"), "a=neutral")


def test_a_name_is_in_one_group():
    names = [name for group in SYNONYMS for name in group]
    assert len(set(names)) == len(names) and all(name == name.casefold() for name in names)


@pytest.mark.parametrize(
    ("published", "names", "given", "expected"),
    [
        (["pos", "neg"], ("neg", "pos"), None, (("neg", "pos"), {})),
        (["POS", "negative"], ("neg", "pos"), None, (("neg", "pos"), {"POS": "pos", "negative": "neg"})),
        (["a"], ("b", "a", "A"), None, (("b", "a", "A"), {})),
        (["B-PER", "O"], ("O", "B-person"), None, (("O", "B-person"), {"B-PER": "B-person", "O": "O"})),
        (["1", "0"], None, None, (("0", "1"), {})),
        (["1", "0"], ("0", "1"), None, (("0", "1"), {})),
        (["LABEL_1", "LABEL_0"], None, None, (("LABEL_0", "LABEL_1"), {})),
        (["1", "2"], ("no", "yes"), "no=1,yes=2", (("1", "2"), {})),
        (["x", "a, b"], None, "1=a, b,0=x", (("a, b", "x"), {})),
        (["False", "True"], None, "0=false,1=true", (("false", "true"), {"False": "false", "True": "true"})),
    ],
)
def test_labels_of_a_table_follow_the_outputs(published, names, given, expected):
    assert table_labels(published, len(names or "ab"), names, given) == expected


@pytest.mark.parametrize(
    ("published", "names"),
    [
        (["0", "1"], ("no", "yes")),  # numbers say nothing of outputs that have names
        (["1", "2"], None),
        (["1"], None),
        (["bad", "good"], None),
        (["pos", "positive"], ("negative", "positive")),  # two labels for one output
        (["pos", "other"], ("neg", "pos")),
    ],
)
def test_labels_of_a_table_that_are_not_the_checkpoints_are_refused(published, names):
    own = names or ("LABEL_0", "LABEL_1")
    expected = f"the labels are {', '.join(published)}, those of the checkpoint {', '.join(own)}; say .* --labels NAME="
    with pytest.raises(InputError, match=expected):
        table_labels(published, 2, names)


@pytest.mark.parametrize(("published", "absent"), [(["1", "3", "5"], "3"), (["1", "5", "x", "X"], "x, X")])
def test_labels_of_a_table_that_are_not_told_are_named(published, absent):
    with pytest.raises(
        InputError, match=f"the table also has the labels {absent}; expected NAME=LABEL for each of 1, "
    ):
        table_labels(published, 2, ("bad", "good"), "bad=1,good=5")
