"""The page as a reader meets it, in a headless Chromium from a folder: no server, no network."""

import json

import pytest

from itt_jax.report import write_report
from tests.report import browser as browsers
from tests.report.test_examples import HOSTILE, add_texts
from tests.simulated_store import write_store

pytestmark = [
    pytest.mark.slow,
    pytest.mark.volume,
    pytest.mark.skipif(bool(browsers.MISSING), reason=f"needs a browser: {browsers.MISSING}"),
]
NAME = '"><script>window.hacked = 1</script>'


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    out = tmp_path_factory.mktemp("store")
    languages, noises, arms = ("en", "ar"), (("swap", (0.1, 0.2)),), ("direct", "itt")
    own = {"models": ("bert", NAME), "languages": languages, "noises": noises, "arms": arms}
    write_store(out, domains=("general",), items=20, seeds=(0, 1), names={"itt": f"itt{NAME}"}, **own)
    (out / "plan.json").write_text(json.dumps({"schema": 2, "name": NAME, "description": HOSTILE}))
    add_texts(out)
    return write_report(out)


@pytest.fixture(scope="module")
def tab():
    with browsers.browser() as one:
        yield one


def opened(tab, page):
    tab.resize(1200, 900)
    tab.open(page)
    return tab


def choose(tab, selector: str, value: str) -> None:
    """Choose an option of a list, as a reader does."""
    tab.run(
        "const own = document.querySelector(arguments[0]); own.value = arguments[1];"
        "own.dispatchEvent(new Event('change', {bubbles: true}))",
        selector,
        value,
    )


def test_filters_act_on_tables_and_figures(tab, page):
    opened(tab, page)
    count = f"{browsers.VISIBLE} return [...document.querySelectorAll(arguments[0])].filter(shown).length"
    tab.run("document.querySelectorAll('details').forEach((own) => { own.open = true; })")
    rows, panels = (tab.run(count, selector) for selector in ("tbody tr[data-encoder]", "svg[data-encoder]"))
    choose(tab, "#filters [name=encoder]", "=bert")
    kept = tab.run(count, "tbody tr[data-encoder='bert']"), tab.run(count, "svg[data-encoder='bert']")
    assert (tab.run(count, "tbody tr[data-encoder]"), tab.run(count, "svg[data-encoder]")) == kept
    assert kept == (rows // 2, panels // 2)
    choose(tab, "#filters [name=language]", "=ar")
    assert tab.run(count, "th[data-language='en']") == 0 < tab.run(count, "th[data-language='ar']")
    assert tab.run(count, "svg g[data-language='en']") == 0 < tab.run(count, "svg g[data-language='ar']")
    tab.run("document.querySelector('#filters button').click()")
    tab.wait("!document.querySelector('tr.off, svg.off')")
    assert tab.run(count, "tbody tr[data-encoder]") == rows and tab.errors() == []


def test_examples_are_loaded_compared_and_searched(tab, page):
    opened(tab, page)
    assert tab.run("return document.querySelectorAll('.card').length") == 0
    tab.run("document.querySelector('#examples').scrollIntoView()")
    tab.wait("document.querySelectorAll('.card').length === 12")
    marks = "return [...document.querySelectorAll(arguments[0])].map((own) => own.textContent).join('')"
    assert tab.run(marks, ".card:nth-child(2) del") and tab.run(marks, ".card:nth-child(2) ins")
    assert tab.run(marks, ".card:nth-child(1) del") == ""
    assert HOSTILE in tab.run("return document.querySelector('.card .pair p').textContent")
    number = "return document.querySelectorAll('.card').length"
    choose(tab, "#choice [name=which]", "changed")
    assert tab.run(number) == 11
    choose(tab, "#choice [name=which]", "flips")
    assert tab.run(number) == tab.run("return document.querySelectorAll('.card:has(.flip)').length")
    choose(tab, "#choice [name=which]", "all")
    tab.run(
        "const own = document.querySelector('#choice [name=search]'); own.value = '/7';"
        "own.dispatchEvent(new Event('input'))"
    )
    assert tab.run(number) == 1
    choose(tab, "#filters [name=language]", "=ar")
    tab.run("document.querySelector('#choice [name=search]').value = ''")
    tab.wait("document.querySelector('.card [lang=ar]')")
    assert tab.run("return getComputedStyle(document.querySelector('.card [lang=ar]')).direction") == "rtl"
    assert tab.errors() == []


def test_no_text_of_data_runs(tab, page):
    opened(tab, page)
    tab.run("document.querySelector('#examples').scrollIntoView()")
    tab.wait("document.querySelector('.card')")
    assert tab.run("return [document.title, typeof window.hacked]") == [NAME, "undefined"]
    assert tab.run("return document.scripts.length") == 3  # the page's data and program, and the block that was loaded


def test_the_keyboard_reaches_everything(tab, page):
    opened(tab, page)
    tab.run("document.querySelectorAll('details').forEach((own) => { own.open = true; })")
    tab.run("document.querySelector('#examples').scrollIntoView()")
    tab.wait("document.querySelector('.card')")
    reached, expected = tab.walk()
    assert reached >= expected > 100
    tab.run("document.querySelector('#table-primary thead button').focus()")
    tab.keys("\ue007")  # Enter
    assert tab.run("return document.querySelector('#table-primary th').getAttribute('aria-sort')") == "ascending"


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 700])
def test_narrow_pages_do_not_scroll_sideways(tab, page, width, dark):
    tab.resize(width, 900, dark)
    tab.open(page)
    assert tab.run("return document.documentElement.scrollWidth") == width
    light = tab.run("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert light != dark
