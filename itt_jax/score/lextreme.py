"""LEXTREME's scores (arXiv 2301.13126): macro-F1 of each language, and their harmonic means.

LEXTREME has no official layout of predictions. Ours follows XTREME's (see `layout`), with one folder per seed:

    PREDICTIONS/seed-1/CONFIGURATION/test-LANGUAGE.tsv     or  PREDICTIONS/CONFIGURATION/test-LANGUAGE.tsv
    LABELS/CONFIGURATION/test-LANGUAGE.tsv

Configurations have their names on the hub; their languages and labels are those of the tasks lextreme_*.
"""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from itt_jax.errors import InputError, unknown
from itt_jax.score import layout
from itt_jax.score.benchmarks import LEXTREME, Benchmark, OfficialTask
from itt_jax.score.scores import Average, Scores

SEED_FOLDERS = "seed-*"
DATASETS = {
    "brazilian_court_decisions": ("brazilian_court_decisions_judgment", "brazilian_court_decisions_unanimity"),
    "german_argument_mining": ("german_argument_mining",),
    "greek_legal_code": ("greek_legal_code_chapter", "greek_legal_code_subject", "greek_legal_code_volume"),
    "swiss_judgment_prediction": ("swiss_judgment_prediction",),
    "online_terms_of_service": ("online_terms_of_service_unfairness_levels", "online_terms_of_service_clause_topics"),
    "covid19_emergency_event": ("covid19_emergency_event",),
    "multi_eurlex": ("multi_eurlex_level_1", "multi_eurlex_level_2", "multi_eurlex_level_3"),
    "greek_legal_ner": ("greek_legal_ner",),
    "legalnero": ("legalnero",),
    "lener_br": ("lener_br",),
    "mapa": ("mapa_coarse", "mapa_fine"),
}
"""Data set -> its configurations."""


def score(benchmark: Benchmark, predictions: pathlib.Path, labels: pathlib.Path, notes: Sequence[str] = ()) -> Scores:
    """Score folders in this layout. Figures are in percent; means over languages and above are harmonic.

    Args:
        benchmark: LEXTREME, with all of its languages or some.
        notes: notes that the result already has.

    Raises:
        InputError: there is no configuration, a seed lacks one, or a file is missing, malformed or does not match the
            labels' file, which the message names.
    """
    seeds = sorted(path for path in predictions.glob(SEED_FOLDERS) if path.is_dir()) or [predictions]
    by_seed = [{path.name for path in seed.iterdir() if path.is_dir()} for seed in seeds]
    for seed, names in zip(seeds, by_seed, strict=True):
        for name in sorted(set().union(*by_seed)):
            if name not in LEXTREME.tasks:
                raise unknown(f"LEXTREME configuration in {seed}:", name, LEXTREME.tasks)
            if name not in names:
                raise InputError(f"{seed / name}: no such folder, though another seed has it")
    tasks = [task for task in benchmark.tasks.values() if task.name in by_seed[0]]
    if not tasks:
        raise InputError(f"{seeds[0]}: no configuration of lextreme is there; known: {', '.join(benchmark.tasks)}")
    found = {task.name: _score_configuration(task, seeds, labels) for task in tasks}
    return _summary(benchmark, found, len(seeds), notes)


def _score_configuration(
    task: OfficialTask, seeds: Sequence[pathlib.Path], labels: pathlib.Path
) -> dict[str, list[float]]:
    """Language -> macro-F1 of each seed, in [0, 1]."""
    found: dict[str, list[float]] = {}
    for language in task.languages:
        gold = layout.read_labels(labels, task, language)
        found[language] = []
        for seed in seeds:
            try:
                value = macro_f1(task, layout.read_predictions(seed, task, language), gold)
            except InputError as error:
                path = seed / task.file(language)
                raise (error if str(path) in str(error) else InputError(f"{path}: {error}")) from error
            found[language].append(value)
    return found


def macro_f1(task: OfficialTask, predictions: Sequence[Any], labels: Sequence[Any]) -> float:
    """Macro-F1 of one language, in [0, 1].

    The mean is over the classes that occur; for sets of labels over all classes; for tags over the types of entities
    that occur (see `metrics.entities.entity_macro_f1`).

    Raises:
        InputError: the numbers of items differ or are 0.
    """
    if len(predictions) != len(labels):
        raise InputError(f"found {len(predictions)} items, expected {len(labels)}")
    if not labels:
        raise InputError("nothing to score")
    return task.format.macro_f1(predictions, labels, task.known)


def _summary(
    benchmark: Benchmark, found: dict[str, dict[str, list[float]]], seeds: int, notes: Sequence[str]
) -> Scores:
    means = lextreme_score(found)
    figures = {
        config: 100 * harmonic_mean([float(np.mean(values)) for values in by_language.values()])
        for config, by_language in found.items()
    }
    groups = {}
    for dataset, configs in DATASETS.items():
        own = {config: figures[config] for config in configs if config in figures}
        if len(own) > 1:
            groups[dataset] = Average(100 * means[dataset], own)
    of = {name: 100 * value for name, value in means.items() if name != "lextreme"}
    absent = tuple(config for configs in DATASETS.values() for config in configs if config not in found)
    notes = [*notes, f"macro-F1; the score of a language is the arithmetic mean over {seeds} seed{'s' * (seeds > 1)}"]
    if absent:
        notes.append("the average leaves out absent configurations: compare it only with averages over the same ones")
    return Scores(
        benchmark=benchmark.name,
        languages={
            config: {language: {"macro_f1": 100 * float(np.mean(values))} for language, values in by_language.items()}
            for config, by_language in found.items()
        },
        tasks={config: {"macro_f1": figure} for config, figure in figures.items()},
        figures=figures,
        groups=groups,
        overall=Average(100 * means["lextreme"], of),
        absent=absent,
        notes=tuple(notes),
        mean="harmonic mean",
    )


def lextreme_score(scores: Mapping[str, Mapping[str, Sequence[float]]]) -> dict[str, float]:
    """Harmonic means of macro-F1 over languages, then configurations, then data sets.

    The score of a language is the arithmetic mean over its seeds (published: 1, 2, 3). A score of 0 makes every mean
    over it 0. Configurations that are not given are left out, so results are comparable only over the same ones.

    Args:
        scores: configuration -> language -> one score per seed, in [0, 1].

    Returns:
        data set -> its score, and "lextreme" -> the harmonic mean of these.

    Raises:
        InputError: no scores, an unknown configuration, numbers of seeds that differ, or a score outside [0, 1].
    """
    known = [config for configs in DATASETS.values() for config in configs]
    for config in scores:
        if config not in known:
            raise unknown("LEXTREME configuration", config, known)
    seeds = {len(values) for by_language in scores.values() for values in by_language.values()}
    if len(seeds) != 1 or 0 in seeds or not all(scores.values()):
        raise InputError(f"LEXTREME: expected the same number of seeds everywhere, found {sorted(seeds)}")
    flat = np.array([values for by_language in scores.values() for values in by_language.values()], float)
    if not ((flat >= 0) & (flat <= 1)).all():
        raise InputError("LEXTREME: expected scores from 0 to 1")
    by_config = {
        config: harmonic_mean([float(np.mean(values)) for values in by_language.values()])
        for config, by_language in scores.items()
    }
    found = {
        dataset: harmonic_mean([by_config[config] for config in configs if config in by_config])
        for dataset, configs in DATASETS.items()
        if any(config in by_config for config in configs)
    }
    return found | {"lextreme": harmonic_mean(list(found.values()))}


def harmonic_mean(values: Sequence[float]) -> float:
    """n / sum(1 / value) of non-negative numbers; 0 if one of them is 0."""
    return 0.0 if min(values) == 0 else len(values) / sum(1 / value for value in values)
