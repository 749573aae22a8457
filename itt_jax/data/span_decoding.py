"""Scores of first and last tokens -> answers, as transformers' `compute_predictions_logits` for SQuAD 1.1.

The 20 best first and the 20 best last tokens of each example are paired. A pair is an answer if both tokens belong to
the context, the last is not before the first, the answer has at most 30 tokens, and its first token has most context in
this example. The pair with the largest sum of scores over all examples of a row is the answer; without any pair it is
empty. The text is cut from the original context, so no tokenization has to be undone.
"""

from collections.abc import Sequence

import numpy as np

from itt_jax.data.windows import Windows
from itt_jax.ragged import Ragged

N_BEST = 20
MAX_ANSWER = 30  # tokens
SCORE, START, STOP, NULL = range(4)
"""Columns of decoded scores: score of the best pair, its positions in the example (-1 without a pair), score of no
answer."""
_NONE = np.finfo(np.float32).min


def decoded(
    logits: Ragged,
    examples: np.ndarray,
    windows: Windows,
    summaries: np.ndarray,
    n_best: int = N_BEST,
    max_answer: int = MAX_ANSWER,
) -> np.ndarray:
    """The best pair of each example: float32 [m, 4], columns SCORE, START, STOP, NULL.

    Args:
        logits: for each of m examples float32 [tokens, 2], scores as first and as last token.
        examples: int64 [m], their numbers in `windows`.
        summaries: int [m], positions of the summary tokens, whose two scores sum to the score of no answer.
    """
    m, lengths = len(examples), logits.lengths
    padded = np.full((m, int(lengths.max(initial=1)), 2), -np.inf, np.float32)
    rows = np.repeat(np.arange(m), lengths)
    places = np.arange(len(rows)) - logits.offsets[:-1][rows]
    padded[rows, places] = logits.values
    order = np.argsort(-padded, axis=1, kind="stable")[:, :n_best]
    first, last = order[..., 0], order[..., 1]
    first_score, last_score = (np.take_along_axis(padded[..., k], order[..., k], 1) for k in (0, 1))
    low = windows.positions[examples, None]
    high = low + windows.counts[examples, None]
    begins = (first >= low) & (first < high)
    begins[begins] = windows.best.values[(windows.best.offsets[examples, None] + first - low)[begins]]
    ends = (last >= low) & (last < high)
    tokens = last[:, None, :] - first[:, :, None] + 1
    legal = begins[:, :, None] & ends[:, None, :] & (tokens >= 1) & (tokens <= max_answer)
    sums = np.where(legal, first_score[:, :, None] + last_score[:, None, :], _NONE).reshape(m, -1)
    best = sums.argmax(axis=1)
    k = order.shape[1]
    found = np.empty((m, 4), np.float32)
    found[:, SCORE] = sums[np.arange(m), best]
    found[:, START], found[:, STOP] = first[np.arange(m), best // k], last[np.arange(m), best % k]
    found[~legal.any(axis=(1, 2)), START : STOP + 1] = -1
    found[:, NULL] = padded[np.arange(m), summaries].sum(axis=1)
    return found


def answers_of(
    scores: np.ndarray, windows: Windows, contexts: Sequence[str], rows: np.ndarray | None = None
) -> tuple[list[str], np.ndarray]:
    """The answer of each row, and float32 [n, 2]: the score of its pair, and the lowest score of no answer among its
    examples.

    Args:
        scores: float32 [F, 4], what `decoded` returns for all examples. contexts: n texts.
        rows: int64 [n], their rows in `windows`; default 0 to n - 1.
    """
    texts, kept = [], np.empty((len(contexts), 2), np.float32)
    for i, context in enumerate(contexts):
        row = i if rows is None else int(rows[i])
        own = slice(windows.parts[row], windows.parts[row + 1])
        example = windows.parts[row] + int(np.argmax(scores[own, SCORE]))
        kept[i] = scores[example, SCORE], scores[own, NULL].min()
        if scores[example, START] < 0:
            texts.append("")
            continue
        shift = int(windows.first[example] - windows.positions[example])
        start, stop = (int(scores[example, column]) + shift for column in (START, STOP))
        texts.append(windows.text(context, start, stop))
    return texts, kept
