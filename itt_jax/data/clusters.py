"""Clusters of evaluated rows: rows that share a text are not independent of one another.

Rows share a text where a field of one is a field of the other, after normalisation, or where the whole inputs are equal
(`contamination.row_digests`): premises with three hypotheses, questions about a paragraph, sentences that occur twice.
Fields of fewer than four words and fields with few distinct values (`Task.fixed`) recur without such a reason and count
only as part of a whole input. Rows that are parts of one document are a cluster too.

Sharing is taken as transitive: a cluster is a connected component. But chains of pairs can link rows that have nothing
in common (a third of SICK), so a component with more than twice as many rows as its most frequent text is cut: each of
its rows goes with the most frequent of its own texts.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from itt_jax.data.contamination import row_digests
from itt_jax.data.rows import Rows


def clusters(languages: Sequence[Rows], groups: Sequence[Sequence[str]] = ()) -> dict[str, str]:
    """Item id -> its cluster, named by the first of its items.

    Args:
        languages: the rows of one split of a task in each language, with the fields that identify them. Translations
            share an item id and count as one item.
        groups: for each language, the name of each row's document; empty where rows are not parts of documents.
    """
    found, texts = [], []
    number: dict[str, int] = {}
    for k, rows in enumerate(languages):
        digests = row_digests(list(rows.fields.values()))
        if groups:
            named = np.array([hash_of(name) for name in groups[k]], np.uint64)
            digests = np.concatenate([digests, named[:, None]], axis=1)
        at, column = np.nonzero(digests)
        own = np.array([number.setdefault(str(item), len(number)) for item in rows.item_ids], dtype=np.int64)
        found.append(own[at])
        texts.append(digests[at, column])
    items = np.concatenate([np.zeros(0, np.int64), *found])
    distinct, text = np.unique(np.concatenate([np.zeros(0, np.uint64), *texts]), return_inverse=True)
    label = _components(items, text, len(number), len(distinct))
    names = list(number)
    first: dict[int, str] = {}
    return {item: first.setdefault(int(own), item) for item, own in zip(names, label, strict=True)}


def hash_of(name: str) -> int:
    """A 64-bit hash of a document's name, used where texts have their digest."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8, key=b"document").digest(), "little")


def _components(items: np.ndarray, texts: np.ndarray, n: int, m: int) -> np.ndarray:
    """The cluster label of each of n items: int64 [n]. Item `items[i]` contains text `texts[i]`, one of m."""
    edges = sparse.coo_matrix((np.ones(len(items), np.int64), (items, texts)), shape=(n, m)).tocsr()
    edges.data[:] = 1  # an item may have a text twice
    graph = sparse.bmat([[None, edges], [edges.T, None]]) if m else sparse.csr_matrix((n, n))
    _, label = csgraph.connected_components(graph, directed=False)
    label = label[:n].astype(np.int64)
    rows_of_text = np.asarray(edges.sum(0)).ravel()
    rows_of_component = np.bincount(label, minlength=n)
    most = np.zeros(len(rows_of_component), np.int64)
    pair_items, pair_texts = edges.nonzero()
    np.maximum.at(most, label[pair_items], rows_of_text[pair_texts])
    chained = rows_of_component > 2 * np.maximum(most, 1)
    order = np.lexsort((pair_texts, rows_of_text[pair_texts]))  # the last of an item's texts is its most frequent one
    own = np.full(n, -1, np.int64)
    own[pair_items[order]] = pair_texts[order]
    return np.where(chained[label] & (own >= 0), len(rows_of_component) + own, label)
