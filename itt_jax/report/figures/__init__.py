"""The report's figures, as scalable graphics; each arm has its colour, marker and line."""

from itt_jax.report.figures import curves, forest, places, transfer, work
from itt_jax.report.figures.panel import DIMENSIONS, Figure, Panel, legend, sheet
from itt_jax.report.figures.svg import STYLE
from itt_jax.report.tables.table import EXPLORATORY

FIGURES = (
    Figure(
        "primary",
        "first",
        "Primary contrasts with 95 % intervals; hollow: undetermined. Grey band: smaller than the smallest effect of "
        "interest ({bound} points).",
        forest.primary,
        has_arms=False,
    ),
    Figure(
        "claims",
        "claims",
        "Claims with 95 % intervals; hollow: undetermined. Grey band: the smallest bound among them.",
        forest.claims,
        has_arms=False,
    ),
    Figure(
        "curves",
        "noise",
        "Score by severity (0 is clean text), mean over languages and domains{chance}. Bands are 95 % intervals of "
        "each arm alone; arms are paired, so those with overlapping bands may still differ. Operators of one severity "
        "have points. Groups without signal are part of the means, and counted in a panel that has some.",
        curves.severity,
    ),
    Figure("curves_by_language", "noise", "The same in each language, over all domains{chance}.", curves.by_language),
    Figure(
        "map",
        "noise",
        "Points by which the arm's gain over its baseline is larger under an operator than on clean text, with 95 % "
        f"intervals. Grey cells are undetermined. {EXPLORATORY}",
        places.map_of,
        has_arms=False,
    ),
    Figure(
        "budgets",
        "attacks",
        "Score by what an attack may spend on a row, with 95 % bands of each arm alone; at 0 the clean score.",
        curves.budgets,
    ),
    Figure(
        "transfer",
        "attacks",
        "Points that the arm in a column loses under texts that an attack made on the arm in a row, mean over "
        "languages, also those without signal, and pairs of seeds; on the diagonal, texts made on its other seeds. "
        "Own: made on the reader itself.",
        transfer.matrix,
        has_arms=False,
    ),
    Figure(
        "languages",
        "languages",
        "Training domain, with 95 % intervals. Filled: clean; hollow: mean over all operators{chance}. Pale, and named "
        "below: no signal (not above chance on dev rows; in part: some arms or groups).",
        places.languages,
    ),
    Figure(
        "domains",
        "domains",
        "Clean scores in the training domain (left) and in the shifted one (right), in the languages that have "
        "both{chance}. Pale, and named below: no signal (not above chance on dev rows; in part: some arms or groups).",
        places.slopes,
    ),
    Figure("cost", "cost", "Model FLOPs of one run of each arm, all its stages after pretraining.", work.cost),
    Figure("training", "cost", "Training by step; a line for each seed and stage.", work.training),
)
"""Every figure of a study's page, in its order."""
ALONE = Figure(
    "scores",
    "first",
    "Scores with 95 % intervals, mean over languages and severities. In brackets: the score on the same rows' clean "
    "text, where rows were left out. No signal: not above chance on dev rows; such groups are part of the means.",
    forest.scores,
    has_arms=False,
)
"""The first figure of the page of a checkpoint that was evaluated alone."""

__all__ = ["ALONE", "DIMENSIONS", "FIGURES", "STYLE", "Figure", "Panel", "legend", "sheet"]
