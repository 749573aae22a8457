"""The cells in results/ give the conclusions that docs/results.md states."""

import pathlib

import pytest

from itt_jax.analysis import analyse

RESULTS = pathlib.Path(__file__).parents[2] / "results"
PRIMARY = {
    "real_english": {("minilm", "macro_f1", -0.2, -1.9, 1.5, "negligible")},
    "real_transfer": {
        ("e5-6", "macro_f1", -1.5, -5.7, 2.7, "undetermined"),
        ("e5-6", "accuracy", -1.1, -6.4, 4.2, "undetermined"),
    },
    "real_clinical": {("e5-6", "entity_f1", -2.6, -4.4, -0.8, "undetermined")},
    "real_legal": {("e5-6", "macro_f1", 3.9, -9.0, 16.8, "undetermined")},
    "real_attacks/english": {
        ("minilm", "accuracy", -2.1, -6.2, 2.0, "undetermined"),
        ("minilm", "accuracy", -1.2, -5.8, 3.4, "undetermined"),
    },
    "real_small": {
        ("bert", "macro_f1", 1.1, -3.2, 5.5, "undetermined"),
        ("roberta", "macro_f1", 1.2, -3.2, 5.6, "undetermined"),
        ("xlnet", "macro_f1", 0.3, -4.9, 5.5, "undetermined"),
    },
}
CLAIMS = {
    "real_english": {("minilm", "macro_f1", 0.4, -1.1, 1.9, "negligible")},
    "real_transfer": {("e5-6", "macro_f1", 0.7, -1.8, 3.2, "undetermined")},
    "real_clinical": {("e5-6", "entity_f1", -6.9, -13.3, -0.4, "undetermined")},
    "real_legal": {("e5-6", "macro_f1", -2.0, -7.5, 3.6, "undetermined")},
    "real_attacks/english": set(),
    "real_small": set(),
}
"""Folder -> its encoder, metric, difference in points with its interval, and verdict; of claims, those judged."""


def stated(rows, encoder: str) -> set[tuple]:
    """The rows of a table that were judged."""
    judged = rows[rows["estimate"].notna()]
    points = (100 * judged[["estimate", "ci_low", "ci_high"]]).round(1)
    return set(zip(judged[encoder], judged["metric"], *points.to_numpy().T, judged["verdict"], strict=True))


@pytest.mark.slow
@pytest.mark.volume
@pytest.mark.parametrize("folder", PRIMARY)
def test_a_published_folder_gives_its_conclusions(folder):
    found = analyse(RESULTS / folder)
    assert stated(found.primary, "model") == PRIMARY[folder]
    assert stated(found.claims, "models") == CLAIMS[folder]
    assert found.primary["cross_lingual"].all() == (folder in ("real_transfer", "real_clinical"))
