"""Values of cells, and the influence of each cluster of items on them."""

import numpy as np
from scipy import sparse

from itt_jax.metrics import Metric
from itt_jax.store.results import CellItems

_Pair = tuple[np.ndarray, np.ndarray]


class Places:
    """The positions of cells' items among those of a panel. Cells of the same rows share their codes, which are looked
    up once.

    Args:
        items, clusters: the panel's codes, ascending.
    """

    def __init__(self, items: np.ndarray, clusters: np.ndarray):
        self._codes = (items, clusters)
        self._found: dict[tuple[int, int], tuple[_Pair, _Pair]] = {}

    def of(self, cell: CellItems) -> tuple[np.ndarray, np.ndarray]:
        """The positions of a cell's items and of their clusters: int [n] each."""
        key = id(cell.items), id(cell.clusters)
        if key not in self._found:
            items, clusters = self._codes
            found = np.searchsorted(items, cell.items), np.searchsorted(clusters, cell.clusters)
            self._found[key] = (cell.items, cell.clusters), found  # the codes too, so no other array can get their id
        return self._found[key][1]


def clustered(
    measure: Metric, statistic: np.ndarray, where: np.ndarray, clusters: int
) -> tuple[float, np.ndarray, np.ndarray]:
    """The value of items, the influence of each cluster on it, and the cluster's share of the items: [clusters] each.

    The sum of squares of the influences is the variance of the value over samples of clusters, in the form of Bell and
    McCaffrey (2002): the residual of a cluster that is a large part of the mean is too small, by the root of 1 - share.
    For clusters of one item this is Bessel's correction. NaN if one cluster has all items.

    Args:
        statistic: [n, ...], of the items. where: int [n], their clusters.
    """
    n = len(statistic)
    value, part = measure.influence(statistic)
    share = np.bincount(where, minlength=clusters) / max(n, 1)
    if n < 2:
        return value, np.zeros(clusters), share
    with np.errstate(divide="ignore"):
        correction = np.sqrt((n - 1) / n / (1 - share[where]))  # replaces the metric's own, for single items
    part = part * np.where(np.isfinite(correction), correction, np.nan)
    return value, np.bincount(where, weights=part, minlength=clusters), share


def clustered_cells(
    measure: Metric, statistics: np.ndarray, kept: np.ndarray, where: np.ndarray, clusters: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`clustered` for B cells of the same n items: [B], [B, clusters] and [B, clusters].

    Args:
        statistics: [B, n, ...]. kept: bool [B, n], the items that count. where: int [n], clusters of the items.
    """
    if not measure.is_mean:
        found = [
            clustered(measure, own[keep], where[keep], clusters) for own, keep in zip(statistics, kept, strict=True)
        ]
        values, influences, shares = map(np.stack, zip(*found, strict=True))
        return values, influences, shares
    n = kept.sum(1, keepdims=True)
    some, statistic = np.maximum(n, 1), np.where(kept, statistics, 0.0)
    value, sizes = statistic.sum(1, keepdims=True) / some, _summed(kept.astype(float), where, clusters)
    others = n - sizes[:, where]  # items outside an item's cluster
    with np.errstate(divide="ignore", invalid="ignore"):
        part = (statistic - value) / np.sqrt(some * np.where(others > 0, others, np.nan))
    part = _summed(np.where(kept & (n >= 2), part, 0.0), where, clusters)
    return np.where(n >= 2, value, np.nan)[:, 0], part, sizes / some


def _summed(values: np.ndarray, where: np.ndarray, clusters: int) -> np.ndarray:
    """Sums over the items of each cluster: [B, n] to [B, clusters]."""
    if len(set(where.tolist())) == len(where):
        found = np.zeros((len(values), clusters))
        found[:, where] = values
        return found
    own = sparse.csr_matrix((np.ones(len(where)), (where, np.arange(len(where)))), shape=(clusters, len(where)))
    return (own @ values.T).T
