"""docs/analysis.ipynb runs from start to end, and its stored tables are those of today's results."""

import json
import pathlib
import shutil

import pandas as pd
import pytest

ROOT = pathlib.Path(__file__).parents[2]
NOTEBOOK = ROOT / "docs" / "analysis.ipynb"


@pytest.mark.slow
@pytest.mark.volume
def test_the_notebook_draws_the_figures(monkeypatch, tmp_path):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    stored = nbformat.read(NOTEBOOK, as_version=4)
    made = nbclient.NotebookClient(
        nbformat.read(NOTEBOOK, as_version=4), timeout=300, resources={"metadata": {"path": str(NOTEBOOK.parent)}}
    ).execute()
    assert printed(made) == printed(stored)
    outputs = [output for cell in made.cells for output in cell.get("outputs", ())]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 3
    assert not any(output.output_type == "error" or output.get("name") == "stderr" for output in outputs)


@pytest.mark.slow
@pytest.mark.volume
def test_the_notebook_keeps_targets_and_metrics_apart(monkeypatch, tmp_path):
    """A second target and metric, with other values, change nothing that is drawn of the first."""
    pytest.importorskip("matplotlib")
    monkeypatch.setenv("MPLBACKEND", "agg")
    own, other = ROOT / "results" / "quickstart", tmp_path / "two"
    shutil.copytree(own, other)
    for name in ("gains", "curves", "interactions", "primary"):
        path = other / "report" / "tables" / f"{name}.csv"
        table = pd.read_csv(path)
        numbers = table.select_dtypes("float").columns
        second = {"metric": "zz"} | ({"target": "zz"} if "target" in table else {})
        pd.concat([table, table.assign(**second, **(table[numbers] / 2))]).to_csv(path, index=False)
    drawn, expected = drawn_from(other), drawn_from(own)
    for name in ("primary", "curves", "cost"):
        pd.testing.assert_frame_equal(drawn[name], expected[name])
    assert not drawn["curves"].duplicated(["model", "arm", "severity"]).any()


def drawn_from(out: pathlib.Path) -> dict:
    """The variables that the notebook's code leaves on a results folder."""
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    variables: dict = {}
    exec(code.replace("../results/quickstart", str(out)), variables)
    return variables


def printed(notebook) -> list[str]:
    """The tables that its cells print."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return [output["text"] for output in outputs if output.output_type == "stream"]


def test_the_notebook_names_no_place_of_its_machine():
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert not any(place in text for place in ("/home/", "/root/", "/tmp/", "/work/", str(ROOT)))
