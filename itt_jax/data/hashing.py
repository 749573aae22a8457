"""An order that depends on nothing but the items."""

import hashlib
from collections.abc import Sequence

import numpy as np


def stable_order(keys: Sequence[str], salt: str = "") -> np.ndarray:
    """int64 [n]: the rank of each key in an order by hash, a function of the keys and the salt alone."""
    hashes = [hashlib.blake2b(f"{salt}{key}".encode(), digest_size=8).digest() for key in keys]
    ranks = np.empty(len(keys), np.int64)
    ranks[np.argsort(np.array(hashes, "S8"), kind="stable")] = np.arange(len(keys))
    return ranks
