"""`report`: tables, figures and a page from a results folder."""

import argparse
import pathlib
import sys

SUMMARY = "Write tables, figures and report/index.html from a results folder."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--out", type=pathlib.Path, required=True, help="results folder of `run` or `evaluate`")
    parser.add_argument(
        "--contrast", metavar="ARM-BASELINE", help="print this contrast of two arms instead of writing the report"
    )
    parser.add_argument("--language", default="all", help="of the contrast; default: all")
    parser.add_argument("--perturbation", default="all", help="of the contrast; default: all")
    parser.add_argument("--format", choices=("line", "markdown", "latex"), default="line", help="of the contrast")


def run(options: argparse.Namespace) -> int:
    """Write the report and print the path of its page, or print one contrast."""
    from itt_jax.analysis import analyse
    from itt_jax.report import contrast, summary, write_report

    if options.contrast is None:
        analysis = analyse(options.out)
        print(write_report(options.out, analysis))
        if not analysis.has_items:
            print(f"note: {' '.join(summary.WITHOUT_ITEMS)}", file=sys.stderr)
        return 0
    analysis = analyse(options.out)
    pair = contrast.parse_pair(options.contrast, analysis)
    found = contrast.contrast(analysis, pair, options.language, options.perturbation)
    print(contrast.rendered(found, options.format, options.language, options.perturbation))
    return 0
