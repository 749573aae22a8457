"""Questions and contexts -> examples, each with the question and a window of the context.

As `squad_convert_example_to_features` of XTREME and transformers: the question is cut to 64 tokens, windows of the
context begin every 128 tokens until one reaches its end, and each fills its example. The tokenizer's layout decides
whether question or context comes first. An answer is labelled at its first and last token in the windows that hold all
of it, and at the summary token in the others. Their code matches an answer's words to the text of tokens; ours knows
the codepoints of each token (`data.located`).
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from itt_jax.data.answers import Answers
from itt_jax.data.examples import Examples, assemble
from itt_jax.data.located import LocatedTokens, locate
from itt_jax.data.tokenizing import Tokenizer
from itt_jax.data.windows import Windows
from itt_jax.errors import InputError
from itt_jax.ragged import Ragged, offsets_of, ragged_positions

STRIDE = 128
MAX_QUESTION = 64
FIRST, LAST = 1, 2
"""Labels of an answer's first and last token; their sum if one token is both."""


def span_examples(
    tokenizer: Tokenizer,
    questions: Sequence[str],
    contexts: Sequence[str],
    max_length: int,
    language: str = "",
    answers: Answers | None = None,
    question_language: str | None = None,
) -> Examples:
    """The examples of n questions; a context that is too long for one example has several.

    Args:
        answers: each question's first answer makes the labels, FIRST and LAST at its tokens, or both at the summary
            token. If the tokenizer drops all characters of an answer, every example of the row has the latter.

    Raises:
        InputError: no room for a context beside the longest question.
    """
    asked = _cut(tokenizer.encode(questions, language if question_language is None else question_language))
    numbers = {context: i for i, context in enumerate(dict.fromkeys(contexts))}
    located = locate(tokenizer, list(numbers), language)
    layout = tokenizer.layout
    room = max_length - layout.special_tokens(2) - asked.lengths
    if len(room) and room.min() < 1:
        raise InputError(
            f"max_length {max_length} leaves no room for a context beside a question of {MAX_QUESTION} tokens"
        )
    windows = _windows(located, np.array([numbers[context] for context in contexts], np.int64), room)
    repeated = asked[windows.rows]
    parts = Ragged(located.tokens.values[ragged_positions(windows.first, windows.counts)], offsets_of(windows.counts))
    fields = [parts, repeated] if layout.context_first else [repeated, parts]
    examples = assemble(tokenizer, fields, max_length)
    start = layout.start(1 if layout.context_first else 2, [field.lengths for field in fields])
    windows = dataclasses.replace(windows, positions=start)
    labels = None
    if answers is not None:
        first, last = (examples.offsets[:-1] + _labelled(windows, examples.summaries, answers).T).astype(np.int64)
        labels = np.zeros(len(examples.ids), np.int32)
        labels[first] += FIRST
        labels[last] += LAST
    return dataclasses.replace(examples, windows=windows, labels=labels)


def _cut(tokens: Ragged) -> Ragged:
    """The first MAX_QUESTION tokens of each text."""
    lengths = np.minimum(tokens.lengths, MAX_QUESTION)
    return Ragged(tokens.values[ragged_positions(tokens.offsets[:-1], lengths)], offsets_of(lengths))


def _windows(located: LocatedTokens, context: np.ndarray, room: np.ndarray) -> Windows:
    """Windows every STRIDE tokens, or every half window if those would leave tokens out."""
    lengths = located.tokens.lengths[context]
    step = np.where(room >= STRIDE, STRIDE, np.maximum(room // 2, 1))
    counts = np.where(lengths > room, 1 + -(-(lengths - room) // step), 1)
    parts = offsets_of(counts)
    rows = np.repeat(np.arange(len(lengths)), counts)
    begins = (np.arange(parts[-1]) - parts[rows]) * step[rows]
    held = np.minimum(lengths[rows] - begins, room[rows])
    first = located.tokens.offsets[context][rows] + begins
    best = _best_windows(parts, offsets_of(lengths)[:-1][rows] + begins, held)
    return Windows(parts, first, held, np.zeros(len(first), np.int64), located, context, best)


def _best_windows(parts: np.ndarray, begins: np.ndarray, held: np.ndarray) -> Ragged:
    """`Windows.best` from the first token of each example, numbered over the contexts of all rows, and the number of
    tokens it holds: int64 [F] each."""
    tokens = ragged_positions(begins, held)
    behind = ragged_positions(np.zeros(len(held), np.int64), held)
    size, examples = np.repeat(held, held), np.repeat(np.arange(len(held)), held)
    context = np.minimum(behind, size - 1 - behind) + 0.01 * size
    turn = examples - np.repeat(parts[:-1], np.diff(parts))[examples]
    # sorted by token, then by context (most first), then by window: the first of equals counts
    order = np.lexsort((turn, -context, tokens))
    best = np.zeros(len(tokens), bool)
    best[order[np.append(True, np.diff(tokens[order]) > 0)[: len(order)]]] = True
    return Ragged(best, offsets_of(held))


def _labelled(windows: Windows, summaries: np.ndarray, answers: Answers) -> np.ndarray:
    """int32 [F, 2]: positions in each example of the answer's first and last token, or twice the summary token's."""
    labels = np.repeat(summaries[:, None], 2, axis=1).astype(np.int32)
    for row, item in enumerate(answers.items):
        span = windows.located.span(int(windows.context[row]), item[0].start, item[0].stop)
        if span is None:
            continue
        own = np.arange(windows.parts[row], windows.parts[row + 1])
        first = windows.first[own]
        own = own[(first <= span[0]) & (span[1] < first + windows.counts[own])]
        labels[own] = windows.positions[own, None] + np.array(span) - windows.first[own, None]
    return labels
