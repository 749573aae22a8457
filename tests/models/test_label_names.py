"""The names of a head's outputs in a Hugging Face config: read as they are, or refused where they contradict."""

import pytest

from itt_jax.errors import InputError
from itt_jax.models.label_names import problem_of, read_outputs

ENTAILMENT = {"0": "entailment", "1": "neutral", "2": "contradiction"}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, (2, None)),
        ({"num_labels": 5}, (5, None)),
        ({"id2label": {"0": "LABEL_0", "1": "LABEL_1"}}, (2, None)),
        ({"id2label": {"0": "LABEL_1", "1": "LABEL_0"}}, (2, ("LABEL_1", "LABEL_0"))),
        ({"id2label": ENTAILMENT}, (3, tuple(ENTAILMENT.values()))),
        ({"id2label": ENTAILMENT, "label2id": {"LABEL_0": 0, "LABEL_1": 1}}, (3, tuple(ENTAILMENT.values()))),
        ({"label2id": {"b": 1, "a": 0}}, (2, ("a", "b"))),
        ({"id2label": {"0": "LABEL_0", "1": "LABEL_1"}, "label2id": {"b": 0, "a": 1}}, (2, ("b", "a"))),
        ({"id2label": {"0": 0, "1": 1}, "label2id": {"0": 0, "1": 1}}, (2, ("0", "1"))),
        ({"id2label": {"0": None, "1": None}, "label2id": {"null": 1}}, (2, ("null", "null"))),
        ({"id2label": {"0": False, "1": True}}, (2, ("false", "true"))),
    ],
)
def test_outputs_and_their_names(config, expected):
    assert read_outputs(config, "config.json") == expected


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"id2label": ["a", "b"]}, r'config.json: id2label: expected a name for each id from 0 on, found \["a", "b"\]'),
        ({"id2label": {"1": "a", "2": "b"}}, "id2label: expected a name for each id"),
        ({"id2label": {"0": ["a"], "1": "b"}}, "id2label: expected names, found"),
        ({"num_labels": True}, "num_labels: expected 1 to 1048576 outputs, found True"),
        ({"num_labels": "3"}, "num_labels: expected 1 to 1048576 outputs"),
        ({"num_labels": 2, "id2label": ENTAILMENT}, "num_labels is 2, but id2label names 3 outputs"),
        (
            {"id2label": ENTAILMENT, "label2id": {"entailment": 2, "neutral": 1, "contradiction": 0}},
            "contradicts id2label",
        ),
        ({"id2label": {"0": "LABEL_0", "1": "LABEL_1"}, "label2id": {"a": 0, "b": 2}}, "label2id: expected ids 0 to 1"),
        ({"label2id": {"a": "0"}}, "label2id: expected an id for each name"),
        ({"label2id": 3}, "label2id: expected an id for each name"),
    ],
)
def test_contradictions_are_one_line(config, message):
    with pytest.raises(InputError, match=message):
        read_outputs(config, "config.json")


def test_the_problem_type_is_known_or_follows_from_the_outputs():
    known = ["single_label_classification", "multi_label_classification", "regression"]
    assert problem_of({}, 1, known, "c") == "regression" and problem_of({}, 2, known, "c") == known[0]
    assert problem_of({"problem_type": known[1]}, 3, known, "c") == known[1]
    with pytest.raises(InputError, match="unknown problem_type in c: 'multi_label'"):
        problem_of({"problem_type": "multi_label"}, 3, known, "c")
