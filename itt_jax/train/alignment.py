"""Word embeddings in which translations are near each other, from co-occurrence in parallel tuples; takes seconds."""

from collections.abc import Sequence

import numpy as np

from itt_jax.ragged import Ragged


def parallel_embeddings(
    tuples: Ragged, tuple_of: np.ndarray, vocabulary_size: int, width: int, seed: int, scale: float = 0.02
) -> np.ndarray:
    """An embedding table in which tokens that occur in the same parallel tuples are near each other.

    Tokens of one tuple co-occur, in any of its languages. Their positive pointwise mutual information [V, V] is
    factorised as U S V^T (randomised SVD), and U S^(1/2) is the table (Levy and Goldberg 2014, with tuples as windows).

    Args:
        tuples: token ids of every text of every tuple. tuple_of: the tuple of each text, int [n].
        width: D. scale: standard deviation of each row; the encoder's initializer_range.

    Returns:
        float32 [V, D]. Rows of tokens that occur in no tuple or in every tuple are 0; the caller keeps their initial
        values. Deterministic.
    """
    from sklearn.utils.extmath import randomized_svd

    ppmi = positive_mutual_information(occurrences(tuples, tuple_of, vocabulary_size))
    rank = min(width, vocabulary_size - 1)
    left, values, _ = randomized_svd(ppmi, rank, n_iter=4, random_state=seed)
    known = np.flatnonzero(np.diff(ppmi.indptr))
    table = np.zeros((vocabulary_size, width), np.float32)
    table[known, :rank] = left[known] * np.sqrt(values)
    # The leading directions hold most of the energy; without their common offset, rows differ more clearly.
    table[known] -= table[known].mean(0)
    deviation = table[known].std(1, keepdims=True)
    table[known] *= scale / np.maximum(deviation, np.finfo(np.float32).tiny)
    return table


def occurrences(tuples: Ragged, tuple_of: np.ndarray, vocabulary_size: int):
    """Whether a token occurs in a tuple: scipy.sparse CSR float32 [tuples, V] of 0 and 1."""
    from scipy import sparse

    rows = np.repeat(np.asarray(tuple_of), tuples.lengths)
    shape = (int(np.max(tuple_of)) + 1, vocabulary_size)
    found = sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, tuples.values)), shape=shape)
    found.data[:] = 1
    return found


def positive_mutual_information(found):
    """max(0, log(n_ij n / (n_i n_j))) of tokens i and j over n tuples: scipy.sparse CSR float32 [V, V].

    A token also counts as its own partner, so the row of a token without others is not empty.
    """
    together = (found.T @ found).tocoo()
    counts = np.asarray(found.sum(0)).ravel()
    information = np.log(together.data * found.shape[0] / (counts[together.row] * counts[together.col]))
    together.data = np.maximum(information, 0).astype(np.float32)
    together = together.tocsr()
    together.eliminate_zeros()
    return together


def blend(table: np.ndarray, aligned: np.ndarray, keep: Sequence[int]) -> np.ndarray:
    """`table` with the non-zero rows of `aligned` put in, except at the ids in `keep` (special tokens)."""
    take = np.abs(aligned).sum(1) > 0
    take[list(keep)] = False
    return np.where(take[:, None], aligned, table)
