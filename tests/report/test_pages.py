"""The pages of a study, of a checkpoint alone, of an attack and of certificates, in a headless Chromium."""

import pandas as pd
import pytest

from itt_jax.certify import Deletion, Smoothing, summaries
from itt_jax.report import write_report
from itt_jax.report.attack_page import write_attack_page
from itt_jax.report.certificate_page import write_certificate_page
from tests.report import browser as browsers
from tests.report.test_attack_page import outcome
from tests.report.test_browser import NAME
from tests.report.test_examples import add_texts
from tests.report.test_folders import certificates
from tests.simulated_store import write_store

pytestmark = [
    pytest.mark.slow,
    pytest.mark.volume,
    pytest.mark.skipif(bool(browsers.MISSING), reason=f"needs a browser: {browsers.MISSING}"),
]
ABOUT = {"name": f"worst_of{NAME}", "encoder": NAME, "task": f"sentiment{NAME}", "contaminated": True}
KINDS = ("study", "evaluate", "attack", "certify")


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    out = tmp_path_factory.mktemp("pages")
    about = {"models": (NAME,), "languages": ("en", "ar"), "domains": ("general",), "items": 12, "seeds": (0,)}
    about["noises"] = (("swap", (0.1, 0.2)),)
    study = write_store(out / "study", arms=("direct", "itt"), **about)
    alone = write_store(out / "evaluate", arms=("direct",), **about)
    results = pd.read_parquet(alone / "results.parquet")
    results.assign(arm=None, seed=None, in_domain=None).to_parquet(alone / "results.parquet")
    for folder in (study, alone):
        add_texts(folder)
    outcomes = [outcome(number, own, language) for language in ("en", "ar") for number, own in OUTCOMES]
    certified = summaries(certificates(), Smoothing(Deletion("word", 0.9), alpha=0.01))
    pages = write_report(study), write_report(alone), write_attack_page(out / "attack", ABOUT, outcomes)
    return dict(zip(KINDS, (*pages, write_certificate_page(out / "certify", ABOUT, certified)), strict=True))


OUTCOMES = tuple(enumerate(("succeeded", "failed", "skipped"), 1))


@pytest.fixture(scope="module")
def tab():
    with browsers.browser() as one:
        yield one


@pytest.mark.parametrize("kind", KINDS)
def test_every_page_opens_whole_reaches_everything_by_keyboard_and_runs_no_name(tab, pages, kind):
    tab.resize(390, 900)
    tab.open(pages[kind])
    tab.run("document.querySelectorAll('details').forEach((own) => { own.open = true; })")
    tab.run("document.querySelector('#examples').scrollIntoView()")
    tab.wait("!document.querySelector('#choice') || document.querySelector('.card')")
    assert tab.run("return [typeof window.hacked, document.documentElement.scrollWidth]") == ["undefined", 390]
    assert NAME in tab.run("return document.querySelector('main').textContent")
    reached, expected = tab.walk()
    assert reached >= expected > 8
    assert tab.errors() == []


@pytest.mark.skipif(browsers.AXE is None, reason="needs axe-core: axe_core_python is not installed")
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_axe_finds_no_serious_fault(tab, pages, kind, dark):
    tab.resize(1200, 900, dark)
    tab.open(pages[kind])
    tab.run("document.querySelectorAll('details').forEach((own) => { own.open = true; })")
    tab.run("document.querySelector('#examples').scrollIntoView()")
    tab.wait("!document.querySelector('#choice') || document.querySelector('.card')")
    assert tab.faults() == []
