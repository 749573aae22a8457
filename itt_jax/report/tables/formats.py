"""Shown tables as Markdown and LaTeX."""

import pandas as pd

from itt_jax.report.names import as_markdown

LATEX = {"\N{MINUS SIGN}": "$-$", "–": "--", "<": "$<$", ">": "$>$", "|": "\\textbar{}"}


def markdown(frame: pd.DataFrame) -> str:
    """A table as Markdown, with aligned columns."""
    rows = [[as_markdown(str(value)) for value in row] for row in (frame.columns, *frame.to_numpy())]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def latex(frame: pd.DataFrame) -> str:
    """A table as LaTeX, with names as they are and signs that pdfTeX prints in any font encoding."""
    shown = frame.map(lambda value: " ".join(value.split()) if isinstance(value, str) else value)
    text = shown.to_latex(index=False, escape=True).rstrip()
    for sign, command in LATEX.items():
        text = text.replace(sign, command)
    return text
