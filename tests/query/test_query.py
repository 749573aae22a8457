"""`results`: answers equal those of pandas, a query can touch nothing else, and docs/results_schema.md is complete."""

import io
import itertools
import json
import pathlib
import re
import runpy
import shutil

import pandas as pd
import pytest

from itt_jax import main
from itt_jax.analysis import analyse
from itt_jax.errors import InputError
from itt_jax.query import ask, rendered
from itt_jax.query.relations import RELATIONS, named
from itt_jax.report import columns
from itt_jax.store import Store
from itt_jax.store.results import read_results
from tests.simulated_store import write_store

ROOT = pathlib.Path(__file__).parents[2]
QUICKSTART = ROOT / "results" / "quickstart"
SCRIPT = ROOT / "docs" / "make_results_schema.py"
QUERIES = re.findall(r"```sql\n(.*?)\n```", (ROOT / "docs" / "results_schema.md").read_text("utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> pathlib.Path:
    """A simulated results folder with its predictions and without a report."""
    return write_store(tmp_path_factory.mktemp("query") / "own", items=8, languages=("en", "de"), seeds=(0, 1))


def frame(*given, **options) -> pd.DataFrame:
    return ask(*given, **options).to_pandas()


def test_the_default_compares_clean_and_perturbed_on_the_same_cells(store):
    results = read_results(store)
    results = results[~((results["language"] == "de") & (results["perturbation"] != "clean"))]  # de: clean text alone
    kept = results[results["language"] == "en"]
    found = frame([store], where="language = 'en' OR perturbation = 'clean'")
    own = kept[(kept["arm"] == "itt") & (kept["domain"] == "legal")]
    clean, noisy = own[own["perturbation"] == "clean"]["value"].mean(), own[own["perturbation"] != "clean"]["value"]
    row = found[(found["arm"] == "itt") & (found["domain"] == "legal")].iloc[0]
    assert (row["store"], row["seeds"], row["languages"], len(found)) == ("own", 2, 1, 6)
    assert row["clean"] == pytest.approx(100 * clean, abs=0.01)
    assert row["drop"] == pytest.approx(100 * (clean - noisy.mean()), abs=0.01)


@pytest.mark.slow
def test_the_default_averages_as_the_report_does(tmp_path):
    """An operator of three severities weighs no more than one of a single severity, which one language lacks."""
    noises = (("swap", (0.1, 0.2, 0.3)), ("keyboard", (0.1,)))
    write_store(tmp_path, items=8, languages=("en", "de"), seeds=(0, 1), noises=noises)
    results = read_results(tmp_path)
    results[(results["language"] == "en") | (results["perturbation"] != "keyboard")].to_parquet(Store(tmp_path).results)
    place = ["arm", "domain"]
    curves = analyse(tmp_path).curves.query("language == 'all' and domain != 'all'").set_index(place)
    found = frame([tmp_path]).set_index(place)
    for column, perturbation in (("clean", "clean"), ("perturbed", "all")):
        expected = 100 * curves[curves["perturbation"] == perturbation]["estimate"]
        assert len(expected) == len(found) == 6
        assert found[column].to_numpy() == pytest.approx(expected[found.index].to_numpy(), abs=0.006)


@pytest.mark.slow
def test_groups_without_signal_are_marked_as_the_report_counts_them(tmp_path):
    """By dev rows; without their predictions nobody knows."""
    about = {"items": 8, "languages": ("en", "de"), "seeds": (0, 1), "noises": (("swap", (0.1,)),), "base": 0.3}
    out = write_store(tmp_path, dev=60, **about)
    counts = analyse(out).counts.set_index("arm")["groups_no_signal"]
    found = frame([out])
    assert found.groupby("arm")["no_signal"].sum().to_dict() == counts.to_dict()
    assert 0 < counts["direct"] and counts["itt"] < 4 and set(found["unchecked"]) == {0}
    Store(out).selection.unlink()
    assert frame([out])["no_signal"].isna().all()


@pytest.mark.slow
@pytest.mark.parametrize("number", [2, 5, 6])
def test_questions_of_the_schema_keep_targets_and_attacks_apart(tmp_path, number):
    """Rows of two targets are those of each alone; attacks and operators that change the label are left out."""
    noises = (("keyboard", (0.1, 0.2)), ("charmer", (0.3,)), ("negation", (0.4,)))
    about = {"items": 4, "languages": ("de",), "domains": ("legal",), "seeds": (0,), "arms": ("direct", "itt")}
    write_store(tmp_path, targets=("sentiment", "topic"), noises=noises, attacks=("charmer",), **about)
    results = read_results(tmp_path).fillna({"attack": False})
    results["changes_label"] = results["perturbation"] == "negation"
    results.to_parquet(tmp_path / "results.parquet")
    found = frame([tmp_path], QUERIES[number])
    assert found["target"].unique().tolist() == ["sentiment", "topic"]
    apart = [frame([tmp_path], QUERIES[number], f"target = '{name}'") for name in ("sentiment", "topic")]
    pd.testing.assert_frame_equal(found, pd.concat(apart, ignore_index=True))
    if number == 5:
        values = results.groupby(["target", "perturbation", "severity"])["value"].mean()
        assert set(found["perturbation"]) == {"keyboard"} and len(found) == 4
        for row in found.itertuples():
            loss = values[row.target, "clean", 0.0] - values[row.target, "keyboard", row.severity]
            assert (row.loss, row.cost_of_edits) == pytest.approx((loss, loss / 0.1))
    if number == 6:
        assert found["predictions"].eq(4).all() and len(found) == 8


def test_items_give_the_values_of_their_cells(store):
    sql = (
        "SELECT cell, avg(item_score) AS value, avg(CAST(prediction = label AS INT)) AS right FROM items GROUP BY cell"
    )
    found = frame([store], sql, where="perturbation = 'swap' AND seed = 1").set_index("cell")
    expected = read_results(store).set_index("cell")["value"].loc[found.index]
    assert len(found) == 2 * 3 * 2 * 2
    pd.testing.assert_series_equal(found["value"], expected, check_names=False)
    pd.testing.assert_series_equal(found["right"], expected, check_names=False)


def test_several_folders_are_told_apart(store):
    found = frame([store, QUICKSTART], "SELECT store, count(*) AS n FROM results GROUP BY store ORDER BY n")
    assert found.to_numpy().tolist() == [["own", 120], ["quickstart", 3888]]
    verdicts = frame([store, QUICKSTART], "SELECT DISTINCT store FROM primary_family")
    assert verdicts["store"].tolist() == ["quickstart"]  # the other one has no report


def test_a_pivot_is_that_of_pandas(store):
    found = frame([store], pivot=("language,domain", "arm"), where="perturbation = 'keyboard'")
    results = read_results(store)
    expected = results[results["perturbation"] == "keyboard"].pivot_table("value", ["language", "domain"], "arm")
    found = found.set_index(["language", "domain"])[list(expected)]
    pd.testing.assert_frame_equal(found, expected, check_names=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sql": "SELECT nope FROM results"}, 'Referenced column "nope" not found'),
        ({"sql": "SELECT * FROM nope"}, "relations: results, selection, items"),
        ({"sql": "SELECT * FROM primary_family"}, "`report --out DIR` makes primary_family"),
        ({"sql": "SELEC 1"}, "syntax error"),
        ({"sql": ""}, "expected one SELECT"),
        ({"sql": "SELECT 1; SELECT 2"}, "expected one SELECT"),
        ({"sql": "PIVOT results ON arm USING avg(value)"}, "PIVOT needs IN"),
        ({"where": "nope = 1"}, "--where: Binder Error"),
        (
            {"where": "perturbation = 'keyboard'"},
            "--where leaves no clean cells, with which the default table compares",
        ),
        ({"where": "1 = 1) UNION ALL (FROM results"}, "--where: Parser Error"),
        ({"pivot": ("languag", "arm")}, "did you mean 'language'"),
        ({"pivot": ("arm", "arm")}, "named twice"),
        ({"pivot": ("language", "arm"), "sql": "SELECT 1"}, "--pivot does not go with --sql"),
    ],
)
def test_a_wrong_query_is_one_line(store, options, message):
    with pytest.raises(InputError, match=re.escape(message)) as error:
        ask([store], **options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "sql",
    [
        "FROM read_csv('{file}')",
        "FROM read_text('{file}')",
        "FROM '{file}'",
        "FROM glob('{folder}/*')",
        "FROM sniff_csv('{file}')",
        "FROM query('SELECT * FROM read_text(''{file}'')')",
        "FROM duckdb_secrets()",
        "SELECT content FROM read_blob('{file}')",
        "FROM store",
        "COPY results TO '{folder}/new.csv'",
        "EXPORT DATABASE '{folder}/new'",
        "ATTACH '{folder}/new.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "CREATE TABLE new AS FROM results",
        "DELETE FROM results",
    ],
)
def test_a_query_reads_and_writes_nothing_else(store, tmp_path, monkeypatch, sql):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError):
        ask([store], sql.format(file=tmp_path / "secret.csv", folder=tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["secret.csv"]


def test_results_without_cells_have_no_items(store, tmp_path):
    shutil.copy(store / "results.parquet", tmp_path)
    with pytest.raises(InputError, match="has no predictions of single rows"):
        ask([tmp_path], "SELECT * FROM items")


def test_a_folder_named_twice_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    (tmp_path / "link").symlink_to(QUICKSTART)
    for other in (QUICKSTART, QUICKSTART.relative_to(ROOT), tmp_path / "link"):
        with pytest.raises(InputError, match="named twice"):
            ask([QUICKSTART, other])
    (tmp_path / "quickstart").mkdir()
    assert list(named([QUICKSTART.relative_to(ROOT), tmp_path / "quickstart"])) == [
        str(QUICKSTART),
        str(tmp_path / "quickstart"),
    ]


def test_every_format_holds_the_answer(store):
    sql = "SELECT 1 AS a, 'x,\"y' AS a, [1.5, NULL] AS c, 'nan'::DOUBLE AS d, sum(n) AS e, NULL AS f FROM results"
    answer = ask([store], sql)
    assert answer.column_names == ["a", "a_2", "c", "d", "e", "f"]
    row = {"a": 1, "a_2": 'x,"y', "c": [1.5, None], "d": None, "e": 960, "f": None}
    assert json.loads(rendered(answer, "json")) == [row]
    assert rendered(answer, "csv") == b'a,a_2,c,d,e,f\n1,"x,""y","[1.5, null]",,960,\n'
    assert pd.read_parquet(io.BytesIO(rendered(answer, "parquet"))).shape == (1, 6)
    assert rendered(answer, "table").splitlines()[2].split() == [b"1", b'x,"y', b"[1.5,", b"null]", b"960"]
    many = rendered(ask([store], "SELECT cell FROM results, range(2)"), "table").decode()
    assert many.endswith("\n... and 40 more rows; --format csv, json or parquet has all\n")


def test_the_command_prints_the_answer(capsysbinary, store):
    assert main.main(["results", "--out", str(store), "--sql", "SELECT count(*) AS n FROM results"]) == 0
    assert capsysbinary.readouterr().out == b"  n\n---\n120\n"
    assert main.main(["results", "--out", str(store / "nowhere")]) == 2
    assert b"results.parquet: not found" in capsysbinary.readouterr().err


def test_the_schema_is_that_of_the_code():
    """Run docs/make_results_schema.py where this fails; a column without a meaning is a KeyError."""
    page = (ROOT / "docs" / "results_schema.md").read_text(encoding="utf-8")
    assert runpy.run_path(str(SCRIPT))["page"]() == page
    assert set(re.findall(r"^### (\w+)$", page, re.MULTILINE)) == set(RELATIONS)
    assert {*columns.OWN} <= {*columns.TABLES} and {*itertools.chain(*columns.OWN.values())} <= {*columns.COLUMNS}
    meant = (*columns.RESULTS, *columns.ITEMS, *columns.SIGNAL, *columns.COLUMNS)
    assert not [name for name in meant if f"| `{name}` |" not in page]


@pytest.mark.slow
@pytest.mark.parametrize("sql", QUERIES, ids=range(len(QUERIES)))
def test_every_query_of_the_schema_has_an_answer(store, sql):
    assert len(ask([store if "items" in sql else QUICKSTART], sql))


def test_the_sides_of_a_gap_are_what_the_schema_says():
    tables, pair = QUICKSTART / "report" / "tables", ["model", "arm", "baseline"]
    gains, gaps = pd.read_csv(tables / "gains.csv"), pd.read_csv(tables / "gaps.csv")
    gains = gains[(gains["perturbation"] == "clean") & (gains["language"] == "all")].set_index("domain")
    gaps = gaps[(gaps["quantity"] == "domain gap") & (gaps["perturbation"] == "clean") & gaps["baseline"].notna()]
    for side, domain, meaning in (("first", "legal", "training domain"), ("second", "general", "shifted domain")):
        expected = gains.loc[domain].set_index(pair)["estimate"]
        assert gaps[side].to_numpy() == pytest.approx(expected.loc[list(gaps[pair].itertuples(index=False))], abs=1e-6)
        assert meaning in columns.OWN["gaps"][side] and meaning in columns.OWN["gain_kept"][side]


def test_the_question_of_the_schema_is_answered_by_the_reports_own_table():
    """Is the ITT gain under keyboard noise in German larger than on clean text?"""
    found = frame([QUICKSTART], QUERIES[1])
    table = pd.read_csv(QUICKSTART / "report" / "tables" / "interactions.csv")
    table = table[(table["arm"] == "itt") & (table["perturbation"] == "keyboard") & (table["language"] == "de")]
    table = table[(table["subset"] == "all") & (table["domain"] == "all") & table["severity"].isna()]
    assert len(found) == len(table) == 6 and set(found["model"]) == {"bert", "roberta", "xlnet"}
    assert (found["keyboard_gain"] - found["clean_gain"]).to_numpy() == pytest.approx(found["estimate"], abs=1e-5)
    assert sorted(found["verdict"]) == sorted(table["verdict"])
