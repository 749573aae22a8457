"""Scores of a whole set of examples, and the dev score that selects a checkpoint."""

import math
from collections.abc import Callable

import jax
import numpy as np

from itt_jax.data import packing
from itt_jax.data.examples import Examples
from itt_jax.models import Encoder, Head
from itt_jax.tasks.metrics import METRICS, constant, predictions_of
from itt_jax.train.state import Params
from itt_jax.train.step import predict_step

# Row lengths that evaluation streams may have: few, so that stages share their programs.
LENGTHS = (64, 128, 256, 512)
TOKENS_PER_BATCH = 4096
READ = ("input_ids", "token_type_ids", "segment_ids", "example_ids", "field_ids", "summary_rows", "summary_positions")
DEFAULT_METRICS = {"classification": "accuracy", "regression": "spearman"}

DevMetric = Callable[[np.ndarray, np.ndarray], float]
"""Scores [n, outputs] and labels [n] -> higher is better."""


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


def default_metric(kind: str) -> DevMetric:
    """What selects a checkpoint where a stage names no metric of its own."""
    measure = METRICS[DEFAULT_METRICS[kind]]
    return lambda scores, labels: measure(predictions_of(kind, scores), labels)


def dev_score(metric: DevMetric, kind: str, scores: np.ndarray, labels: np.ndarray) -> float:
    """`metric` of scores [n, outputs] and labels [n]; NaN where it would say nothing, for that is never selected.

    That is so where a score is not finite, and in a regression whose scores or labels are constant: a metric may well
    give that 0, which is more than many a real correlation.
    """
    if not np.isfinite(scores).all() or (kind == "regression" and constant(predictions_of(kind, scores), labels)):
        return math.nan
    return float(metric(scores, labels))
