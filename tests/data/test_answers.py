"""Right answers, and wrong ones of the same lengths."""

from itt_jax.data.answers import Answer, Answers

CONTEXT = "Mr. A. Lee left Rome in 1990. He never came back! Did he?"


def test_answers_elsewhere_have_the_same_lengths():
    contexts = [CONTEXT, CONTEXT[:30], CONTEXT[5:50]]
    answers = Answers(((Answer(24, "1990"),), (Answer(0, "Mr."),), (Answer(2, "Lee left Rome"),)))
    other = answers.elsewhere(contexts, 3)
    for context, (answer,) in zip(contexts, other.items, strict=True):
        assert context[answer.start : answer.stop] == answer.text
    assert sorted(len(answer.text) for (answer,) in other.items) == [3, 4, 13]
    assert other.encoded() == answers.elsewhere(contexts, 3).encoded() != answers.encoded()
