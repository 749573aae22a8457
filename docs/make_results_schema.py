"""Makes docs/results_schema.md from the relations of `results` and the meanings of their columns.

    python docs/make_results_schema.py

tests/query/test_schema.py fails where the page and the code differ, and runs every query of the page.
"""

import collections
import itertools
import pathlib
from collections.abc import Mapping

import pyarrow as pa

from itt_jax.query import DEFAULT
from itt_jax.query.relations import CELLS, ITEMS, SIGNAL, STORE, TABLES, cells, named
from itt_jax.query.relations import table as report_table
from itt_jax.report import columns

PAGE = pathlib.Path(__file__).with_name("results_schema.md")
EXAMPLE = pathlib.Path(__file__).parents[1] / "results" / "quickstart"
"""A results folder with every table of a report."""
HEAD = """# What `results` can be asked

`python -m itt_jax.main results --out DIR [DIR ...]` answers questions about results folders in the SQL of
[DuckDB](https://duckdb.org/docs/sql/introduction). It reads these folders and nothing else, and writes nothing. This
page is made from the code by `docs/make_results_schema.py`; its words are in the [glossary](glossary.md).

- `--sql QUERY`: one SELECT; `SHOW TABLES`, `DESCRIBE results` and `SUMMARIZE results` work too. `results` and `items`
  are read from the folders, the tables of the report as the last `report` or `run` wrote them.
- `--where CONDITION` leaves other cells out of `results` and `items` (not of the other relations).
- `--pivot ROWS COLUMN`: means of `value` over cells, such as `--pivot model,language arm --where "perturbation
  = 'keyboard'"`. Rows are separate for each metric and folder.
- `--format table|csv|json|parquet`: CSV, JSON and Parquet have every row and digit.

Every relation begins with `{store}`: the name of the results folder that a row is from, or its whole path where two
folders have the same name. Means over cells are means of whatever the query leaves in: name perturbation, severity,
domain and metric, or group by them. Intervals, tests and verdicts are in the tables of the report alone.
"""
QUERIES = (
    (
        "Is the ITT gain under keyboard noise in German larger than on clean text? `estimate` is the gain on perturbed "
        "text less the gain on clean text, on the same items; `first` and `second` are the two.",
        """\
SELECT model, target, metric, baseline, first AS keyboard_gain, second AS clean_gain,
    estimate, ci_low, ci_high, p_adjusted, verdict
FROM interactions
WHERE arm = 'itt' AND perturbation = 'keyboard' AND language = 'de'
    AND kind = 'perturbation' AND subset = 'all' AND domain = 'all' AND severity IS NULL
ORDER BY ALL""",
    ),
    (
        "The same from single cells, seed by seed, in the training domain (no interval; all groups, also those without "
        "signal):",
        """\
WITH scores AS (
    SELECT store, model, target, metric, seed, arm, avg(value) FILTER (perturbation = 'keyboard') AS keyboard,
        avg(value) FILTER (perturbation = 'clean') AS clean
    FROM results WHERE language = 'de' AND in_domain GROUP BY ALL
)
SELECT store, model, target, metric, seed,
    itt.keyboard - own.keyboard AS keyboard_gain, itt.clean - own.clean AS clean_gain
FROM scores AS itt JOIN scores AS own USING (store, model, target, metric, seed)
WHERE itt.arm = 'itt' AND own.arm = 'direct' ORDER BY ALL""",
    ),
    (
        "The primary contrasts (`primary` is a word of SQL):",
        "SELECT model, metric, arm, baseline, estimate, ci_low, ci_high, verdict FROM primary_family ORDER BY ALL",
    ),
    (
        "What does an arm cost, in multiples of its baseline?",
        """\
SELECT DISTINCT model, target, arm, baseline, flops / baseline_flops AS times_flops
FROM gains WHERE flops IS NOT NULL ORDER BY ALL""",
    ),
    (
        "Which operators cost most for their edits, in the training domain? `cost_of_edits` is the loss against clean "
        "text divided by the rate of edits: points lost for each edit in 100 grapheme clusters.",
        """\
WITH clean AS (
    SELECT store, model, target, metric, arm, seed, task, split, domain, language, value AS clean
    FROM results WHERE perturbation = 'clean'
)
SELECT target, metric, perturbation, severity, avg(edit_rate) AS edit_rate, avg(clean - value) AS loss,
    avg(clean - value) / avg(edit_rate) AS cost_of_edits
FROM results JOIN clean USING (store, model, target, metric, arm, seed, task, split, domain, language)
WHERE in_domain AND perturbation <> 'clean' AND NOT attack AND NOT changes_label AND edit_rate > 0
GROUP BY ALL ORDER BY target, metric, cost_of_edits DESC""",
    ),
    (
        "Which 20 rows of each target are hardest under noise, over all encoders, arms and seeds? (In folders with "
        "`cells/`.)",
        """\
SELECT target, metric, item_id, count(*) AS predictions, avg(item_score) AS score
FROM items JOIN results USING (store, cell)
WHERE perturbation <> 'clean' AND NOT attack AND NOT changes_label AND item_score IS NOT NULL
GROUP BY target, metric, item_id QUALIFY row_number() OVER (PARTITION BY target, metric ORDER BY score, item_id) <= 20
ORDER BY target, metric, score, item_id""",
    ),
)
INTRODUCTIONS = {
    "results": "One row a cell, as in results.parquet.",
    "selection": "One row a cell of dev rows, which decide what has signal; no scores of the study. Its columns are "
    "those of `results`.",
    "items": "One row for each example of each cell in `results`. All "
    "of them are read when a query names `items`, so narrow a large study with `--where`.",
    "signal": "One row for each arm and group of rows; groups without signal are in no interaction of the report.",
}
TYPES = {"string": "varchar", "int64": "bigint", "bool": "boolean", "list<item: double>": "double[]"}
"""Arrow's name of a type -> DuckDB's, where they differ."""
OF_ATTACKS = {"budgets": pa.schema([("spent", pa.string()), ("budget", pa.int64())])}
"""Columns that tables have in a study with attacks alone; the example has none."""


def page() -> str:
    """The whole page."""
    parts = [HEAD.format(store=STORE), "## Questions\n", f"Without `--sql`:\n\n{code(DEFAULT)}"]
    parts += [f"{question}\n\n{code(sql)}" for question, sql in QUERIES]
    parts += ["## Relations of cells\n"]
    stores = named([EXAMPLE])
    for name in (*CELLS, "items", "signal"):
        parts.append(f"### {name}\n\n{INTRODUCTIONS[name]}\n")
        if name == "results":
            parts.append(table(cells(stores, name).schema, columns.RESULTS))
        elif name == "items":
            parts.append(table(ITEMS, columns.ITEMS))
        elif name == "signal":
            parts.append(table(SIGNAL, columns.SIGNAL))
    parts += ["## Tables of the report\n", "Estimates are shares (0.01 is one point).\n"]
    found = {name: report_table(stores, name) for name in TABLES}
    kinds = collections.defaultdict(set)
    for field in itertools.chain(*(own.schema for own in found.values() if own)):
        kinds[field.name].add(field.type)
    for name, written in TABLES.items():
        renamed = f" (`{written}.csv`)" if name != written else ""
        parts.append(f"### {name}\n\n{columns.TABLES[written].capitalize()}{renamed}.\n")
        schema = pa.schema([]) if found[name] is None else found[name].schema
        if not found[name]:  # without rows, numbers have the type that they have elsewhere
            whole = [at for at, field in enumerate(schema) if kinds[field.name] == {pa.int64()}]
            for at in whole:
                schema = schema.set(at, schema.field(at).with_type(pa.int64()))
        schema = pa.unify_schemas([schema, OF_ATTACKS.get(name, pa.schema([]))])
        parts.append(table(schema, columns.COLUMNS | columns.OWN.get(written, {})))
    return "\n".join(parts)


def code(sql: str) -> str:
    """A block of SQL."""
    return f"```sql\n{sql}\n```\n"


def table(schema: pa.Schema, meanings: Mapping[str, str]) -> str:
    """The columns of a relation: name, type and meaning.

    Raises:
        KeyError: a column has no meaning.
    """
    rows = ["| column | type | meaning |", "| --- | --- | --- |"]
    for field in schema:
        if field.name != STORE:
            kind = TYPES.get(str(field.type), str(field.type))
            rows.append(f"| `{field.name}` | {kind} | {meanings[field.name]} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
