"""The report's tables: shown ones in percentage points with one decimal, and tidy ones, unrounded."""

import pandas as pd

from itt_jax.analysis import Analysis
from itt_jax.report import provenance
from itt_jax.report.tables import attacks, domains, explored, primary, rests, scores
from itt_jax.report.tables.formats import latex, markdown
from itt_jax.report.tables.shown import no_signal, points, side, verdict, with_interval, without_constant
from itt_jax.report.tables.table import ALL_GROUPS, EXPLORATORY, Table, at_home, by_target

TABLES = (
    Table(
        "primary",
        "primary",
        "Primary contrasts",
        lambda analysis, plan: primary.primary(analysis),
        "Percentage points [95 % interval]. Smallest effect of interest: {bound} points. Detectable: the smallest true "
        "effect that four of five such studies would call supported. Kept: groups (task, domain, language) whose score "
        "on dev rows is above chance in both arms, or that have no dev rows; the others are left out. Tokens and FLOPs "
        "are those of one run of each arm, over all its stages and targets, beside its baseline's.",
        "primary",
    ),
    Table(
        "checks",
        "checks",
        "Dev scores of the stages before the target, beside chance",
        lambda analysis, plan: primary.checks(analysis),
        "Dev scores of the kept parameters, means over seeds, with intervals that allow for the choice of learning "
        "rate and checkpoint. Where a stage that must learn learned none of its tasks in some seed, by the interval, "
        "verdicts on its arm are withheld; a stage with permuted labels need not learn.",
        "checks",
    ),
    Table(
        "claims",
        "claims",
        "Claims and their verdicts",
        lambda analysis, plan: primary.claims(analysis),
        "Percentage points; intervals at 95 %, verdicts after Holm's adjustment among the claims. Supported: the first "
        "exceeds the second beyond the bound; contradicted: the second exceeds the first; negligible: they differ by "
        "less than the bound. Ours and published: the first and the second. Published scores are of other "
        "encoders or data, to compare directions.",
        "claims",
        place=primary.claim_places,
    ),
    Table(
        "arms",
        "scores",
        "Each arm ({metrics})",
        by_target(scores.arms),
        "All figures of a row are means over the same cells: the kept groups (above chance on dev rows in every arm), "
        "or all groups where none is kept, and their perturbed forms. Relative drop: 1 − perturbed / clean. Retention: "
        "the share of the score above chance that is left under perturbation. Area: mean score along the severity "
        "curve. Worst cell: the score under the worst operator, severity and replicate, chosen on one half of the "
        "items and measured on the other, so that it may lie above the lowest mean; worst case per item: right under "
        "all of them.",
        "robustness",
    ),
    Table(
        "differences",
        "scores",
        "Arms compared",
        by_target(scores.gains),
        "Differences paired by seed and item, on the kept groups of both arms: the interaction is perturbed gain less "
        f"clean gain. {EXPLORATORY} The CSV has the gains as first (perturbed) and second (clean).",
        "interactions",
    ),
    Table(
        "clean_languages",
        "languages",
        "Clean scores by language, in the training domain",
        by_target(lambda analysis, target: scores.languages(analysis, target, "clean")),
        ALL_GROUPS,
        source="curves",
        wide=True,
        place=at_home,
    ),
    Table(
        "perturbed_languages",
        "languages",
        "Perturbed scores by language, mean over all operators, in the training domain",
        by_target(scores.perturbed_languages),
        ALL_GROUPS,
        source="curves",
        wide=True,
        place=at_home,
    ),
    Table(
        "domains",
        "domains",
        "Clean scores at home and in each shifted domain",
        by_target(domains.domains),
        f"In the languages that have both domains. Home: the domain of the target stage's training rows. {ALL_GROUPS}",
        "gaps",
        place=at_home,
    ),
    Table(
        "shifts",
        "domains",
        "Interactions with the shift of domain",
        lambda analysis, plan: domains.shifts(analysis),
        EXPLORATORY,
        "interactions",
        place=at_home,
    ),
    Table(
        "kept",
        "domains",
        "Gain kept under a shift of domain",
        lambda analysis, plan: domains.kept(analysis),
        "Each arm less its baseline, at home and in the shifted domain, on clean and on perturbed text, in points; "
        f"kept: the gain there as a share of the gain at home, where that is above zero. {ALL_GROUPS}",
        "gain_kept",
        place=at_home,
    ),
    Table(
        "distances",
        "domains",
        "How far the domains are apart",
        lambda analysis, plan: domains.distances(analysis),
        "Evaluation rows of the shifted domain and of the training domain in the same language. Divergence of words: "
        "Jensen-Shannon, 0 for the same words, 1 for no shared word. Proxy A-distance: how well a linear probe on the "
        "encoder's states before fine-tuning tells the two apart, 0 not at all, 2 fully.",
        "distances",
        place=at_home,
    ),
    Table(
        "operators",
        "noise",
        "Interactions by operator",
        lambda analysis, plan: explored.operators(analysis),
        EXPLORATORY,
        "interactions",
    ),
    Table(
        "language_interactions",
        "noise",
        "Interactions by language",
        lambda analysis, plan: explored.language_interactions(analysis),
        EXPLORATORY,
        "interactions",
    ),
    Table(
        "attacks",
        "attacks",
        "Each arm under attack",
        lambda analysis, plan: attacks.attacks(analysis),
        "Texts chosen against each model. Clean and under attack: scores of the attacked rows, on the kept groups. "
        "Relative drop: 1 − under attack / clean, for accuracy the success rate over the kept groups. Success: share "
        "of the attackable rows on which the goal was reached, over all groups; queries: mean over these rows; edits "
        "(grapheme clusters), words and similarity: over successes.",
        "attacks",
    ),
    Table(
        "attack_contrasts",
        "attacks",
        "Arms compared under attack",
        lambda analysis, plan: attacks.contrasts(analysis),
        "Drop of the baseline less drop of the arm. Exploratory: adjusted for the false discovery rate among attacks.",
        "attack_contrasts",
    ),
    Table(
        "budgets",
        "attacks",
        "Scores of each arm by what an attack may spend",
        lambda analysis, plan: attacks.budgets(analysis),
        "From one run at the largest budget: a success counts from the number of queries, or of edits, that it took. "
        "A run with a smaller budget can end lower or higher. "
        "Means over languages and seeds, kept groups.",
        "budgets",
    ),
    Table(
        "transfer",
        "attacks",
        "Drop of each arm under texts that were made on another model",
        lambda analysis, plan: attacks.transfer(analysis),
        "Columns: the arm that reads; rows: the arm on which the texts were made. Score on the clean text of the same "
        "rows less score on the texts, in points, mean over languages, also those without signal, and pairs of "
        "seeds: own texts, then those of other seeds of the same arm or of all seeds of another.",
        "transfer",
    ),
    Table(
        "controls",
        "controls",
        "How often predictions change with edits that may change the label",
        lambda analysis, plan: explored.controls(analysis),
        "Share of the edited items whose predicted class changes, in percent [95 % interval], over all groups, also "
        "those without signal.",
        "controls",
    ),
    Table(
        "edits",
        "rests",
        "What the operators did",
        lambda analysis, plan: rests.edits(analysis),
        "Realised rates, not the requested severities: claims across languages should compare equal edit rates.",
        "edits",
    ),
    Table(
        "counts",
        "rests",
        "What each arm's findings rest on",
        lambda analysis, plan: rests.counts(analysis),
        "No signal: the mean over seeds of the scores on dev rows is not above chance by its interval over items; such "
        "groups are left out of ratios and interactions. Unchecked: groups without dev rows, which are kept. A seed is "
        "listed where it has no signal in the source language and training domain.",
        "counts",
    ),
    Table(
        "contamination",
        "rests",
        "Evaluated text among training and dev rows",
        lambda analysis, plan: provenance.contamination(analysis.contamination),
        "Rule whole_input drops a row whose whole input is evaluated; any_field drops it also if it shares one field "
        "of four words or more; off drops none. Rows that share only a field are counted under every rule.",
    ),
    Table(
        "stages",
        "cost",
        "Training",
        lambda analysis, plan: provenance.stages(plan),
        source="stages",
        place=lambda analysis, frame: {"arm": provenance.arms_of_stages(analysis.plan)},
    ),
)
"""Every table of the page, in its order."""


def tidy(analysis: Analysis) -> dict[str, pd.DataFrame]:
    """The tidy tables, by file name."""
    names = ["primary", "claims", "interactions", "gains", "gaps", "curves", "robustness", "controls", "distances"]
    names += ["checks", "counts", "attacks", "attack_contrasts", "budgets", "transfer"]
    found = {name: getattr(analysis, name) for name in names}
    return found | {"gain_kept": domains.gain_kept(analysis), "edits": rests.edits(analysis)}


__all__ = [
    "TABLES",
    "Table",
    "domains",
    "explored",
    "latex",
    "markdown",
    "no_signal",
    "points",
    "primary",
    "rests",
    "scores",
    "side",
    "tidy",
    "verdict",
    "with_interval",
    "without_constant",
]
