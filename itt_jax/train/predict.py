"""Scores of a whole set of examples, and the dev metrics that select a checkpoint."""

import jax
import numpy as np

from itt_jax.data import packing
from itt_jax.data.examples import Examples
from itt_jax.models import Encoder, Head
from itt_jax.train.state import Params
from itt_jax.train.step import predict_step

# Row lengths that evaluation streams may have: few, so that stages share their programs.
LENGTHS = (64, 128, 256, 512)
TOKENS_PER_BATCH = 4096
READ = ("input_ids", "token_type_ids", "segment_ids", "example_ids", "field_ids", "summary_rows", "summary_positions")


def stream_shape(examples: Examples) -> tuple[int, int, int]:
    """Rows, row length and example slots of the batches that `examples` are streamed in."""
    longest = int(examples.lengths.max())
    length = next((length for length in LENGTHS if length >= longest), longest)
    rows = max(1, TOKENS_PER_BATCH // length)
    return rows, length, rows * length // 16


def predict(encoder: Encoder, head: Head, params: Params, examples: Examples) -> np.ndarray:
    """Scores float32 [n, outputs] in the order of `examples`, which are streamed packed; no dropout.

    Args:
        params: {"encoder": ..., "head": ...}, on the host or on the device.
    """
    params = jax.device_put(params)
    scores = np.zeros((len(examples), head.outputs), np.float32)
    pending = []
    for indices, batch in packing.stream(examples, *stream_shape(examples)):
        device_batch = jax.device_put({name: batch[name] for name in READ})
        pending.append((indices, predict_step(params, device_batch, encoder=encoder, head=head)))
    for indices, found in pending:
        scores[indices] = np.asarray(found)[: len(indices)]
    return scores


def accuracy(scores: np.ndarray, labels: np.ndarray) -> float:
    """Share of rows whose highest score [n, outputs] is at the label [n]."""
    return float(np.mean(scores.argmax(-1) == labels))


def spearman(scores: np.ndarray, labels: np.ndarray) -> float:
    """Spearman's rank correlation of values [n, 1] with labels [n]; NaN where either is constant or not finite."""
    from scipy import stats

    values = scores[:, 0]
    if not np.isfinite(values).all() or np.ptp(values) == 0 or np.ptp(labels) == 0:
        return float("nan")
    return float(stats.spearmanr(values, labels).statistic)


DEV_METRICS = {"classification": accuracy, "regression": spearman}
