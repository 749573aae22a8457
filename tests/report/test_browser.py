"""The page as a reader meets it, in a headless Chromium from a folder: no server, no network."""

import importlib.resources
import json
import random

import pytest

from itt_jax.report import write_report
from itt_jax.report.figures.svg import line_of
from tests.report import browser as browsers
from tests.report.test_examples import HOSTILE, add_texts
from tests.simulated_store import write_store

pytestmark = [
    pytest.mark.slow,
    pytest.mark.volume,
    pytest.mark.skipif(bool(browsers.MISSING), reason=f"needs a browser: {browsers.MISSING}"),
]
NAME = '"><script>window.hacked = 1</script>'
ITT = f"itt\n{NAME}"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    out = tmp_path_factory.mktemp("store")
    languages, noises, arms = ("en", "ar"), (("swap", (0.1, 0.2)),), ("direct", "itt")
    own = {"models": ("bert", NAME), "languages": languages, "noises": noises, "arms": arms}
    write_store(out, domains=("general",), items=20, seeds=(0, 1), names={"itt": ITT}, **own)
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
    said = "return document.querySelector(arguments[0]).textContent"
    choose(tab, "#filters [name=encoder]", "")
    assert tab.run(said, "#table-arms .scope") == "The language filter does not apply here."
    assert tab.run(said, "#table-clean_languages .scope") == ""
    choose(tab, "#filters [name=language]", "")
    for arm in ("direct", line_of(ITT)):  # the contrast of both, and the scores of one
        choose(tab, "#filters [name=arm]", f"={arm}")
        selectors = ("#table-primary tbody tr", "#figure-map .panels > svg", "#table-arms tbody tr")
        assert [tab.run(count, own) for own in selectors] == [2, 2, 2]
        assert tab.run(said, "#table-arms .count") == "2 of 4 rows"
        assert tab.run(said, "#table-edits .scope") == "The arm filter does not apply here."
        off = tab.run("return document.querySelectorAll('.filtered tbody tr.off, .panels > svg.off').length")
        assert tab.run(said, "#shown") == f"{off} rows and panels hidden" and off
    tab.run("document.querySelector('#filters button').click()")
    tab.wait("!document.querySelector('tr.off, svg.off')")
    assert tab.run(count, "tbody tr[data-encoder]") == rows and tab.errors() == []
    assert tab.run(said, "#table-arms .count") == "4 rows" and not tab.run(
        "return document.querySelector('.scope').textContent"
    )


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
    # a prediction before its arrow, each mark before its own name, whatever the direction of the names
    places = tab.run(
        "return [...document.querySelectorAll('.card td')].map((own) => [...own.querySelectorAll('span, bdi')]"
        ".map((part) => part.getBoundingClientRect()).map((box) => [box.left, box.right]))"
    )
    assert len(places) == 4 and tab.run(marks, ".card td bdi").count("نعم")
    for before, its_name, after, other_name in places:
        assert before[0] < its_name[0] < its_name[1] < before[1] < after[0] < other_name[0] < other_name[1] < after[1]
    assert tab.errors() == []


def program(start: str, end: str) -> str:
    """A part of the page's program."""
    text = importlib.resources.files("itt_jax.report").joinpath("page.js").read_text(encoding="utf-8")
    return text[text.index(start) : text.index(end)]


def most_in_common(a: str, b: str) -> int:
    """The length of the longest common subsequence."""
    row = [0] * (len(b) + 1)
    for x in a:
        new = [0]
        for j, y in enumerate(b):
            new.append(row[j] + 1 if x == y else max(row[j + 1], new[j]))
        row = new
    return row[-1]


def test_edits_are_the_fewest_and_bounded_in_long_texts(tab, page):
    draw = random.Random(0)
    text = lambda most: "".join(draw.choice("abc é") for _ in range(draw.randrange(most)))  # noqa: E731
    short = [(text(25), text(25)) for _ in range(60)]
    words = [f"word{number}" for number in range(1000)]
    long = "中" * 1250
    longs = [
        ((f"{long}国{long}!", f"{long}华{long}?"), (2, 2)),
        ((" ".join(words), " ".join([*words[:500], "new", *words[500:990], *words[991:], "end"])), (8, 8)),
        (("a" * 30_000, "b" * 30_000), (30_000, 30_000)),
        (("x" + "ab" * 9_000, "ba" * 9_000 + "y"), None),
    ]
    opened(tab, page)
    parts = program("  // --- Edits between", "  // Characters that cannot")
    found = tab.run(f"{parts} return arguments[0].map(([a, b]) => edits(a, b))", [*short, *(own for own, _ in longs)])
    for (before, after), (a, b) in zip([*short, *(own for own, _ in longs)], found, strict=True):
        assert ["".join(text for text, _ in side) for side in (a, b)] == [before, after]
        kept = ["".join(text for text, marked in side if not marked) for side in (a, b)]
        assert kept[0] == kept[1] and (len(before) > 25 or len(kept[0]) == most_in_common(before, after))
    for ((before, after), fewest), (a, b) in zip(longs, found[len(short) :], strict=True):
        marked = [sum(len(text) for text, marked in side if marked) for side in (a, b)]
        assert fewest is None or tuple(marked) == fewest, (before[:9], after[:9])


def test_what_cannot_be_seen_is_written_in_marked_edits(tab, page):
    opened(tab, page)
    parts = program("  const element", "  // --- Filters") + program(
        "  // --- Edits between", "  // --- Examples: blocks"
    )
    shown = f"{parts} return arguments[0].map((own) => markedText([own], 'ins', 'en').innerHTML)"
    code = lambda number: f'<span class="code" dir="ltr">U+{number}</span>'  # noqa: E731
    family = "\U0001f468\u200d\U0001f469"
    pieces = [["a\u200bb c", True], ["a\u200bb", False], ["x\u202ey", False], [family, True], ["\n", True]]
    expected = [f"a{code('200B')}b c", "a\u200bb", f"x{code('202E')}y", family, f"{code('000A')}\n"]
    expected = [f"<ins>{own}</ins>" if marked else own for own, (_, marked) in zip(expected, pieces, strict=True)]
    assert tab.run(shown, pieces) == expected


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
