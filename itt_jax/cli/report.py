"""`report`: tables, figures and a page from a results folder."""

import argparse
import sys

from itt_jax.cli.options import path
from itt_jax.errors import InputError

SUMMARY = "Write tables, figures and report/index.html from a results folder."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "--out", type=path, required=True, help="results folder of `run`, `evaluate`, `attack` or `certify`"
    )
    parser.add_argument(
        "--contrast", metavar="ARM-BASELINE", help="print this contrast of two arms instead of writing the report"
    )
    parser.add_argument("--language", help="of the contrast; default: all")
    parser.add_argument("--perturbation", help="of the contrast; default: all")
    parser.add_argument("--format", choices=("line", "markdown", "latex"), help="of the contrast; default: line")


def run(options: argparse.Namespace) -> int:
    """Write the report and print the path of its page, or print one contrast.

    Raises:
        InputError: an option of a contrast without --contrast; see also `analysis.analyse`.
    """
    from itt_jax.analysis import analyse
    from itt_jax.report import contrast, write_page_of_parts, write_report
    from itt_jax.report.cautions import WITHOUT_ITEMS
    from itt_jax.store.results import read_results

    if options.contrast is None:
        for name in ("language", "perturbation", "format"):
            if getattr(options, name) is not None:
                raise InputError(f"--{name} goes with --contrast")
        if page := write_page_of_parts(options.out):
            print(page)
            return 0
        analysis = analyse(options.out)
        print(write_report(options.out, analysis))
        if not analysis.has_items:
            print(f"note: {' '.join(WITHOUT_ITEMS)}", file=sys.stderr)
        return 0
    pair = contrast.parse_pair(options.contrast, list(read_results(options.out)["arm"].unique()))
    analysis = analyse(options.out, asked_pair=pair)
    language, perturbation = options.language or contrast.ALL, options.perturbation or contrast.ALL
    found = contrast.contrast(analysis, pair, language, perturbation)
    print(contrast.rendered(found, options.format or contrast.FORMATS[0], language, perturbation))
    return 0
