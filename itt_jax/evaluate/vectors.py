"""Predictions from vectors: the nearest candidates of each query, or mined pairs, in every form of the rows."""

import numpy as np

from itt_jax.data.examples import Examples, assemble
from itt_jax.data.pools import Pool
from itt_jax.data.tokenizing import Tokenizer
from itt_jax.evaluate.forms import RowForms
from itt_jax.evaluate.retrieval import nearest, scored_pairs, unit
from itt_jax.kinds.forms import FormKey, Inputs
from itt_jax.kinds.retrieval import Mined, Ranked
from itt_jax.metrics import metric
from itt_jax.metrics.ranking import K
from itt_jax.models import Encoder, Head
from itt_jax.models.embedder import Embedder
from itt_jax.train.predict import predict
from itt_jax.train.state import Params
from itt_jax.train.vectors import sentence_vectors


def pool_examples(tokenizer: Tokenizer, max_length: int, pool: Pool, prefix: str) -> Examples:
    """The examples of a pool's candidates."""
    first, *others = pool.fields.values()
    fields = [tokenizer.encode(texts) for texts in ([prefix + text for text in first], *others)]
    return assemble(tokenizer, fields, max_length)


def vectors_of(
    encoder: Encoder, head: Head | None, params: Params, examples: Examples, embedder: Embedder
) -> np.ndarray:
    """Vectors float32 [n, D] from a head that was trained to make them or, without one, from the embedder."""
    if head is not None:
        return predict(encoder, head, params, examples)
    layer, changes = embedder.layer_of(encoder.config.layers), (embedder.modules, params.get("modules", {}))
    return sentence_vectors(encoder, params["encoder"], examples, layer, embedder.pooling, *changes)


def compared(
    vectors: np.ndarray, block: RowForms, inputs: Inputs, pool: np.ndarray | None
) -> dict[FormKey, Ranked] | dict[FormKey, Mined] | dict[FormKey, np.ndarray]:
    """The best candidates of each query, mined pairs, or cosines float32 [n, 1] of two texts, in every form.

    Args:
        vectors: [inputs, D], of the distinct texts.
        pool: vectors of the pool's candidates; None if there is no pool.
    """
    outcomes = metric(block.task.metric).outcomes
    if "score" in outcomes:
        length_one = unit(vectors)
        return {
            key: np.sum(length_one[index[:, 0]] * length_one[index[:, 1]], axis=1, keepdims=True)
            for key, index in inputs.index.items()
        }
    if "pairs" in outcomes:
        texts = block.rows.candidates.fields["text"]
        assert pool is not None  # its vectors
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
