"""Tables of a results folder that are derived from its other files; `run` can make them again.

OUT/clusters.parquet   which evaluated items share a text
OUT/domains.parquet    distances between the domains of the study
"""

import itertools
import pathlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from itt_jax import files
from itt_jax.store.parquet import DamagedError, read_table, write_table

if TYPE_CHECKING:
    import pandas as pd

ROWS_TOGETHER = 10_000
"""Rows of the results that are converted to a table together; a row takes several times as much memory before."""


class Tables:
    """The tables of the folder `out` beside its results."""

    def __init__(self, out: pathlib.Path):
        self._clusters, self._distances = out / "clusters.parquet", out / "domains.parquet"

    def write_clusters(self, clusters: Mapping[str, str]) -> None:
        """Write the cluster of each evaluated item; items of one cluster share a text."""
        import pyarrow as pa

        write_table(self._clusters, pa.table({"item_id": list(clusters), "cluster": list(clusters.values())}))

    def clusters(self) -> dict[str, str]:
        """Item id -> its cluster; empty for folders without this table.

        Raises:
            InputError: the file is damaged.
        """
        if not files.exists(self._clusters):
            return {}
        table = read_table(self._clusters, ["item_id", "cluster"])
        return dict(zip(*(column.to_pylist() for column in table.columns), strict=True))

    def has_distances(self, distances_id: str) -> bool:
        """Whether the distances of that id are there. Damaged ones count as absent, as they can be made again."""
        if not files.exists(self._distances):
            return False
        try:
            return (read_table(self._distances).schema.metadata or {}).get(b"id") == distances_id.encode()
        except DamagedError:
            return False

    def write_distances(self, frame: "pd.DataFrame", distances_id: str) -> None:
        """Write the table of distances between domains; `distances_id` is a hash of what they were computed from."""
        import pyarrow as pa

        table = pa.Table.from_pandas(frame, preserve_index=False)
        about = {**(table.schema.metadata or {}), "id": distances_id}
        write_table(self._distances, table.replace_schema_metadata(about))

    def distances(self) -> "pd.DataFrame":
        """The table of distances between domains; empty if the study has none.

        Raises:
            InputError: the file is damaged.
        """
        import pandas as pd

        return read_table(self._distances).to_pandas() if files.exists(self._distances) else pd.DataFrame()


def write_rows(path: pathlib.Path, rows: Iterator[dict[str, Any]]) -> int:
    """Write rows of the results as a table, or remove the table if there are none; returns their number."""
    import pyarrow as pa

    tables = []
    while part := list(itertools.islice(rows, ROWS_TOGETHER)):
        names = dict.fromkeys(name for row in part for name in row)  # cells under attack have more
        tables.append(pa.Table.from_pylist([{name: row.get(name) for name in names} for row in part]))
    if not tables:
        path.unlink(missing_ok=True)
        return 0
    table = pa.concat_tables(tables, promote_options="permissive").combine_chunks()
    write_table(path, table)
    return len(table)
