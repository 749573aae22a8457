"""A simulated study, its analysis and its report, made once."""

import json

import pytest

from itt_jax.analysis import analyse
from itt_jax.report import write_report
from tests.report.simulated import PLAN
from tests.simulated_store import write_store


@pytest.fixture(scope="session")
def out(tmp_path_factory):
    out = write_store(tmp_path_factory.mktemp("store"), models=("bert", "xlnet"), items=40, base=1.5, robust=0.5)
    (out / "plan.json").write_text(json.dumps(PLAN))
    return out


@pytest.fixture(scope="session")
def analysis(out):
    return analyse(out)


@pytest.fixture(scope="session")
def written(out, analysis):
    return out, write_report(out, analysis)
