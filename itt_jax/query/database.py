"""One query on results folders, in a DuckDB that can read nothing else and write nothing."""

import contextlib
import pathlib
import re
from collections.abc import Iterator, Mapping, Sequence

import duckdb
import pyarrow as pa

from itt_jax.errors import InputError, listed, unknown
from itt_jax.query import relations
from itt_jax.query.relations import STORE, TABLES
from itt_jax.store import Store

DEFAULT = """\
WITH severities AS (
    SELECT store, model, target, metric, domain, arm, seed, language, task, split, perturbation, severity,
        avg(value) AS value
    FROM results WHERE NOT changes_label AND NOT attack GROUP BY ALL
), operators AS (
    SELECT * EXCLUDE (severity, value), avg(value) AS value FROM severities GROUP BY ALL
), splits AS (
    SELECT * EXCLUDE (perturbation, value), avg(value) FILTER (perturbation = 'clean') AS clean,
        avg(value) FILTER (perturbation <> 'clean') AS perturbed
    FROM operators GROUP BY ALL
), compared AS (
    FROM splits WHERE clean IS NOT NULL
    QUALIFY perturbed IS NOT NULL OR NOT bool_or(perturbed IS NOT NULL) OVER (PARTITION BY store)
), tasks AS (
    SELECT * EXCLUDE (split, clean, perturbed), avg(clean) AS clean, avg(perturbed) AS perturbed
    FROM compared GROUP BY ALL
), languages AS (
    SELECT * EXCLUDE (task, clean, perturbed), avg(clean) AS clean, avg(perturbed) AS perturbed
    FROM tasks GROUP BY ALL
), groups AS (
    SELECT DISTINCT store, model, target, metric, domain, arm, task, split, language FROM compared
), checked AS (
    SELECT store, model, target, metric, domain, arm, count(*) AS groups,
        count(*) FILTER (has_signal IS NULL) AS unchecked,
        if(count(has_signal) > 0, count(*) FILTER (NOT has_signal), NULL) AS no_signal
    FROM groups LEFT JOIN signal USING (store, model, target, metric, domain, arm, task, split, language) GROUP BY ALL
)
SELECT store, model, target, metric, domain, arm,
    count(DISTINCT seed) AS seeds, count(DISTINCT language) AS languages, groups, no_signal, unchecked,
    round(100 * avg(clean), 2) AS clean, round(100 * avg(perturbed), 2) AS perturbed,
    round(100 * avg(clean - perturbed), 2) AS "drop"
FROM languages JOIN checked USING (store, model, target, metric, domain, arm) GROUP BY ALL ORDER BY ALL"""
"""The query of `results` without --sql: scores of each arm in points, if there is both clean and perturbed text.

Means are taken level by level, as in the report (`analysis.panels.LEVELS`), over all groups; no_signal of them are no
better than guessing on dev rows, and unchecked have no dev rows.
"""
SETTINGS = {
    "temp_directory": "''",  # a large query fails instead of writing to the current folder
    "python_enable_replacements": "false",  # variables of this program are not tables
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "enable_external_access": "false",
    "lock_configuration": "true",  # the last one, as nothing can be set after it
}


def ask(
    outs: Sequence[pathlib.Path],
    sql: str | None = None,
    where: str | None = None,
    pivot: tuple[str, str] | None = None,
) -> pa.Table:
    """The answer to one query on results folders.

    Args:
        sql: one SELECT (or DESCRIBE, SHOW, SUMMARIZE, EXPLAIN) on the relations; None takes DEFAULT.
        where: a condition on `results`, which leaves other cells out of `results` and `items`.
        pivot: in place of `sql`: columns of `results` that name rows, separated by commas, and one whose values become
            columns; the table holds means of `value` over cells.

    Raises:
        InputError: a folder cannot be read, the query is wrong, or `where` leaves DEFAULT nothing to compare.
    """
    if not outs:
        raise InputError("--out: expected a results folder")
    if sql is not None and pivot is not None:
        raise InputError("--pivot does not go with --sql; expected one of them")
    stores = relations.named(outs)
    query = DEFAULT if sql is None else sql
    with duckdb.connect(":memory:") as database:
        for name, value in SETTINGS.items():
            database.execute(f"SET {name} = {value}")
        results = relations.cells(stores, "results")
        if where is not None:
            _add(database, "results", results)
            with _said("--where", stores):
                results = database.table("results").filter(where).to_arrow_table()
        if pivot is not None:
            query = _pivot(results, *pivot)
        _fill(database, stores, results, set(re.findall(r"\w+", query.lower())))
        answer = _answer(database, stores, query)
    if query is DEFAULT and where is not None and not len(answer):
        raise InputError(
            "--where leaves no clean cells, with which the default table compares others; use --sql or --pivot"
        )
    return answer


def _fill(database: duckdb.DuckDBPyConnection, stores: Mapping[str, Store], results: pa.Table, words: set[str]) -> None:
    """Make all relations; those that the query does not name stay empty, or absent."""
    _add(database, "results", results)
    selection = relations.cells(stores, "selection") if "selection" in words else results.slice(0, 0)
    _add(database, "selection", selection)
    if "items" in words and "describe" not in words:
        relations.check_items(stores)
        _add(database, "items", relations.items(stores, results))
    else:
        _add(database, "items", relations.ITEMS.empty_table())
    named = "signal" in words and "describe" not in words
    _add(database, "signal", relations.signal(stores) if named else relations.SIGNAL.empty_table())
    for name in TABLES:
        if name in words or "show" in words:
            if (found := relations.table(stores, name)) is not None:
                _add(database, name, found)


def _add(database: duckdb.DuckDBPyConnection, name: str, rows: pa.Table) -> None:
    database.register("given", rows)
    database.execute(f"CREATE OR REPLACE TABLE {name} AS FROM given")
    database.unregister("given")


def _answer(database: duckdb.DuckDBPyConnection, stores: Mapping[str, Store], query: str) -> pa.Table:
    """The rows that one statement returns.

    Raises:
        InputError: it is not such a statement, or fails.
    """
    with _said("--sql", stores):
        statements = database.extract_statements(query)
        if len(statements) != 1 or statements[0].type.name not in ("SELECT", "EXPLAIN"):
            raise InputError(f"--sql: expected one SELECT, found {query!r:.200}{_hint(query)}")
        return _renamed(database.sql(query).to_arrow_table())


@contextlib.contextmanager
def _said(option: str, stores: Mapping[str, Store]) -> Iterator[None]:
    """Raise DuckDB's errors about an option's value as errors in the user's input."""
    try:
        yield
    except duckdb.InterruptException as error:
        raise KeyboardInterrupt from error
    except duckdb.Error as error:
        said, _, place = str(error).partition("\n\n")
        hint = f"; {_relations(stores)}" if said.startswith("Catalog Error: Table") else ""
        where = f" ({place.splitlines()[0]})" if place else ""
        raise InputError(f"{option}: {said}{where}{hint}") from error


def _hint(query: str) -> str:
    return "; PIVOT needs IN with the values, or use --pivot" if re.search(r"\bpivot\b", query, re.IGNORECASE) else ""


def _relations(stores: Mapping[str, Store]) -> str:
    """The relations that exist, and those that a report would add."""
    absent = [name for name in TABLES if not relations.files_of(stores, name)]
    known = [name for name in relations.RELATIONS if name not in absent]
    made = f"; `report --out DIR` makes {listed(absent)}" if absent else ""
    return f"relations: {listed(known)}{made}"


def _renamed(table: pa.Table) -> pa.Table:
    """Columns of the same name get a number, so that every format keeps them."""
    names: list[str] = []
    for name in table.column_names:
        number = 2
        while name in names:
            name, number = f"{name.removesuffix(f'_{number - 1}')}_{number}", number + 1
        names.append(name)
    return table.rename_columns(names)


def _pivot(results: pa.Table, rows: str, column: str) -> str:
    """The query for means of `value`; several metrics or folders have separate rows.

    Raises:
        InputError: a column is unknown, or named twice.
    """
    names = [name.strip() for name in rows.split(",")]
    for name in (*names, column):
        if name not in results.column_names:
            raise unknown("column", name, results.column_names)
    if len({*names, column}) <= len(names):
        raise InputError(f"--pivot {rows} {column}: a column is named twice")
    several = (name for name in (STORE, "metric") if len(results[name].unique()) > 1)
    names = [*(name for name in several if name not in (*names, column)), *names]
    values = [str(value) for value in results[column].unique().to_pylist() if value is not None]
    if not values:
        raise InputError(f"--pivot {rows} {column}: no cell has a value of {column}")
    quoted = ", ".join("'" + value.replace("'", "''") + "'" for value in values)
    chosen = ", ".join(names)
    return (
        f"FROM (SELECT {chosen}, CAST({column} AS VARCHAR) AS pivoted, value FROM results) "
        f"PIVOT (avg(value) FOR pivoted IN ({quoted}) GROUP BY {chosen}) ORDER BY {chosen}"
    )
