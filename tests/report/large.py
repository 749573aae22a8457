"""A study of many cells from nothing to an opened page, each step measured.

python -m tests.report.large FOLDER    102,600 cells: writes them unless FOLDER holds results, then the report
"""

import itertools
import json
import pathlib
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from itt_jax.store import Store
from itt_jax.store.texts import Texts, write_texts
from tests.report.browser import Browser, browser
from tests.simulated_store import ARM_EFFECT

ITEMS, SHOWN = 200, 100
"""Rows of a cell, and those of them whose texts are kept, as a study keeps them."""
ENCODERS, TARGETS, DOMAINS = ("bert", "roberta", "xlnet"), ("sentiment", "inference"), ("general", "legal")
LANGUAGES = ("en", "de", "fr", "es", "ru", "ar", "hi", "th", "zh", "vi")
OPERATORS = tuple(f"operator {number}" for number in range(1, 15))
SEVERITIES = (0.05, 0.1, 0.15, 0.2)
SENTENCE = "the committee of the member states decided on number {} that the measure was no longer needed here"
OPEN_SECONDS, PAGE_BYTES = 2.0, 10 * 2**20
"""How long a page may take to open, and how large it may be."""


def write(
    out: pathlib.Path,
    encoders: Sequence[str] = ENCODERS,
    targets: Sequence[str] = TARGETS,
    languages: Sequence[str] = LANGUAGES,
    operators: Sequence[str] = OPERATORS,
    seeds: int = 5,
) -> int:
    """Write results, cells and texts of a grid: encoders x targets x 3 arms x seeds x 2 domains x languages x
    (clean, operators x 4 severities), 200 rows a cell. Returns the number of cells.

    Whether a row is right depends on the row, the arm, the seed and the severity; rows of all languages are alike in
    this, and a row has one text in all of them.
    """
    store, random, planned, dev = Store(out), np.random.default_rng(0), [], []
    forms = [("clean", 0.0, 0), *((name, level, 0) for name in operators for level in SEVERITIES)]
    levels, labels = np.array([form[1] for form in forms]), np.arange(ITEMS, dtype=np.int32) % 2
    hard = random.normal(0, 1.0, (len(DOMAINS), ITEMS))
    for encoder, target, (arm, effect), seed in itertools.product(encoders, targets, ARM_EFFECT.items(), range(seeds)):
        shift = random.normal(0, 0.3)
        for d, language in itertools.product(range(len(DOMAINS)), languages):
            place = {"model": encoder, "target": target, "task": f"{target} {DOMAINS[d]}", "arm": arm, "seed": seed}
            place |= {"language": language, "domain": DOMAINS[d], "in_domain": d == 0, "changes_label": False}
            place |= {"source_language": language == languages[0], "metric": "accuracy", "chance": 0.5, "attack": False}
            ids = [f"{place['task']}/test/{number}" for number in range(ITEMS)]
            odds = 1 + effect + shift + hard[d] - 5 * levels[:, None]
            of_forms = _cells(random, odds, labels, ids, place | {"split": "test"}, forms, len(planned), "c")
            of_dev = _cells(random, odds[:1], labels, ids, place | {"split": "dev"}, forms[:1], len(dev), "d")
            store.cells.write(of_forms)
            store.cells.write(of_dev)
            planned += [{"cell": row["cell"]} for row, _ in of_forms]
            dev += [{"cell": row["cell"]} for row, _ in of_dev]
    store.write_results(planned, dev)
    for target, domain, language in itertools.product(targets, DOMAINS, languages):
        place = (f"{target} {domain}", "test", language)
        write_texts(store, place, _texts(place[0], forms[1:]))
    return len(planned)


def _cells(random, odds, labels, ids, place, forms, first: int, prefix: str) -> list[tuple[dict, dict]]:
    """The rows of the results and the columns of the cells of one stage on the same rows."""
    right = random.random((len(forms), ITEMS)) < 1 / (1 + np.exp(-odds))
    changed, applicable = random.random((len(forms), ITEMS)) < 0.9, np.ones(ITEMS, bool)
    made = []
    for number, (name, level, replicate) in enumerate(forms):
        own = place | {"perturbation": name, "severity": level, "replicate": replicate, "edit_rate": level}
        own |= {"n": ITEMS, "n_changed": int(changed[number].sum()), "n_not_applicable": 0, "n_words_lost": 0}
        own |= {"token_change_rate": 2 * level, "value": float(right[number].mean())}
        own |= {"cell": f"{prefix}{first + number:07d}"}
        columns = {"item_id": ids, "prediction": np.where(right[number], labels, 1 - labels), "label": labels}
        columns |= {"scores": [[0.1, 0.9]] * ITEMS, "changed": changed[number], "applicable": applicable}
        made.append((own, columns))
    return made


def _texts(task: str, forms) -> Texts:
    items = [f"{task}/test/{number}" for number in range(SHOWN)]
    clean = [[SENTENCE.format(number)] for number in range(SHOWN)]
    changed = {
        form: {item: [own[0].replace("e", "3", 1 + at % 9)] for item, own in zip(items, clean, strict=True)}
        for at, form in enumerate(forms)
    }
    return Texts("1", "classification", ("no", "yes"), ("text",), items, clean, changed)


def analyse_and_report(out: pathlib.Path) -> dict[str, float]:
    """CPU seconds of analysis and report, and the peak memory of this process."""
    from itt_jax.analysis import analyse
    from itt_jax.report import write_report

    figures, began = {}, time.process_time()
    analysis = analyse(out)
    figures["cells"], figures["analysis CPU s"] = len(analysis.cells), time.process_time() - began
    figures["analysis peak MiB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    began = time.process_time()
    write_report(out, analysis)
    figures["report CPU s"] = time.process_time() - began
    figures["peak MiB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return figures


def sizes(out: pathlib.Path) -> dict[str, float]:
    """Bytes of the page and of what it loads on demand."""
    report = Store(out).report
    files = [path.stat().st_size for path in (report / "examples").glob("*.js")]
    figures = {"page bytes": (report / "index.html").stat().st_size, "side files": len(files)}
    return figures | {"largest side file bytes": max(files, default=0), "side files bytes": sum(files)}


def opened(tab: Browser, out: pathlib.Path) -> dict[str, Any]:
    """Seconds until the page can be used, of its first filter, and until the first examples are there."""
    tab.resize(1280, 900)
    tab.open(Store(out).report / "index.html")
    about = tab.run(
        "const [one] = performance.getEntriesByType('navigation');"
        "return [one.domInteractive, one.loadEventEnd, document.querySelectorAll('*').length,"
        "performance.getEntriesByType('resource').length]"
    )
    filtered = tab.run(
        "const began = performance.now(); const own = document.querySelector('#filters [name=operator]');"
        "own.selectedIndex = 1; own.dispatchEvent(new Event('change', {bubbles: true}));"
        "document.body.getBoundingClientRect();"
        "return [performance.now() - began, document.querySelectorAll('.off').length]"
    )
    began = time.monotonic()
    tab.run("document.querySelector('#examples').scrollIntoView()")
    tab.wait("document.querySelector('.card')")
    shown = time.monotonic() - began
    loaded = tab.run("return [...document.scripts].filter((own) => own.src).length")
    assert tab.errors() == [] and filtered[1] > 0
    figures = {"interactive s": about[0] / 1000, "loaded s": about[1] / 1000, "elements": about[2]}
    figures |= {"loaded with the page": about[3], "filter s": filtered[0] / 1000}
    return figures | {"examples s": shown, "side files loaded": loaded}


def steps(out: pathlib.Path) -> Iterator[dict[str, Any]]:
    """The figures of each step but writing, one after the other."""
    yield analyse_and_report(out)
    yield sizes(out)
    with browser() as tab:
        yield opened(tab, out)


def main(folder: str) -> None:
    """Print the figures as they are made."""
    out = pathlib.Path(folder)
    if not Store(out).results.is_file():
        began = time.process_time()
        print(json.dumps({"written": write(out), "writing CPU s": time.process_time() - began}), flush=True)
    for figures in steps(out):
        print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
