"""Predictions by vectors: the nearest candidates of each query, or mined pairs, in every form of the rows."""

import numpy as np

from itt_jax.data.examples import Examples, assemble
from itt_jax.data.pools import Pool
from itt_jax.data.tokenizing import Tokenizer
from itt_jax.evaluate.forms import RowForms
from itt_jax.evaluate.retrieval import nearest, retrieval_layer, scored_pairs, sentence_vectors
from itt_jax.kinds.forms import FormKey, Inputs
from itt_jax.kinds.retrieval import Mined, Ranked
from itt_jax.metrics import metric
from itt_jax.metrics.ranking import K
from itt_jax.models import Encoder, Head
from itt_jax.train.predict import predict
from itt_jax.train.state import Params


def pool_examples(tokenizer: Tokenizer, max_length: int, pool: Pool) -> Examples:
    """The examples of a pool's candidates."""
    fields = [tokenizer.encode(texts) for texts in pool.fields.values()]
    return assemble(tokenizer, fields, max_length)


def vectors_of(encoder: Encoder, head: Head | None, params: Params, examples: Examples) -> np.ndarray:
    """Vectors float32 [n, D] of a head that was trained to give them; without one, the mean of the layer that XTREME
    reads (`retrieval_layer`)."""
    if head is not None:
        return predict(encoder, head, params, examples)
    return sentence_vectors(encoder, params["encoder"], examples, retrieval_layer(encoder.config.layers))


def compared(
    encoder: Encoder, head: Head | None, params: Params, block: RowForms, inputs: Inputs, pool: np.ndarray | None
) -> dict[FormKey, Ranked] | dict[FormKey, Mined]:
    """The best candidates of each query, or mined pairs, in every form of the rows.

    Args:
        head: one that was trained to give vectors, or None.
        pool: vectors of the pool's candidates; None if the candidates are fields of the rows.
    """
    vectors = vectors_of(encoder, head, params, inputs.examples)
    if "pairs" in metric(block.task.metric).outcomes:
        texts = block.rows.pool.fields["text"]
        return {key: _mined(vectors, index[:, 0], pool, texts) for key, index in inputs.index.items()}
    return {
        key: Ranked(*nearest(vectors[index[:, 0]], vectors[index[:, 1]] if pool is None else pool, K))
        for key, index in inputs.index.items()
    }


def _mined(vectors: np.ndarray, queries: np.ndarray, pool: np.ndarray, texts: list[str]) -> Mined:
    """Pairs of rows and candidates; queries with the same input are the same text."""
    first = {str(i): str(query) for i, query in enumerate(queries.tolist())}
    second = {str(i): text for i, text in enumerate(texts)}
    found = scored_pairs(first, second, (vectors[queries], pool))
    pairs = np.array([(int(a), int(b)) for a, b in found], np.int64).reshape(-1, 2)
    return Mined(pairs[:, 0], pairs[:, 1], np.array(list(found.values()), np.float32))
