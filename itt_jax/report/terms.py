"""The terms that a page explains at its end."""

from itt_jax.analysis import Analysis
from itt_jax.analysis.arms import primary_pairs
from itt_jax.report.tables.shown import points


def terms(analysis: Analysis) -> list[tuple[str, str]]:
    """(name, explanation) of each term and arm."""
    bound = points(analysis.smallest_effect)
    return [
        (
            "Interaction",
            "The gain of the arm over its baseline on perturbed text less that on clean text, or in a shifted domain "
            "less at home. An arm that improves both equally has none: it is better, not more robust.",
        ),
        (
            "Intervals",
            "Seeds and items are crossed: every seed is evaluated on the same items. The variance of a contrast "
            "is that between seeds plus that between items (an item with all its translations, severities and "
            "replicates); items that share a text are one cluster. The error has the distribution of Behrens and "
            "Fisher, with S − 1 degrees of freedom for the seeds and the effective number of clusters less one "
            "for the items. Languages and operators are fixed effects: nothing is inferred about others. "
            "Correlations use each item's influence instead of its score.",
        ),
        (
            "Supported, contradicted, negligible, undetermined",
            f"The interval lies beyond +{bound} points, beyond −{bound} points, between the two, or elsewhere. The "
            "first three also need a test against the bound after adjustment (primary: Holm; exploratory: "
            "Benjamini-Hochberg), the first two the same sign in log-odds (Fisher's z for correlations), because a "
            "gain in points alone can come from a floor or a ceiling. p-values in tables are against zero.",
        ),
        (
            "No signal",
            "A score at chance cannot fall, so such a group is left out of ratios and interactions, and counted. This "
            "is decided on dev rows, because the evaluated items would select what came out high by chance.",
        ),
        *((one.name, f"{one.summary}{_baseline(one.name, analysis)}.") for one in analysis.arms if one.summary),
    ]


def _baseline(arm: str, analysis: Analysis) -> str:
    """What a treatment is compared with in this folder."""
    baseline = dict(primary_pairs(analysis.arms)).get(arm)
    return f". Its baseline is {baseline}" if baseline else ""
