"""Fixtures with test sentences."""

import pytest

from tests.perturb.material import ODD, SENTENCES


@pytest.fixture(scope="session")
def sentences():
    """Language -> sentences and some unusual texts."""
    return {language: [*texts, *ODD] for language, texts in SENTENCES.items()}


@pytest.fixture(scope="session")
def real_sentences(data_root):
    """Language -> 150 sentences of XNLI's dev rows."""
    found = {}
    for path in sorted((data_root / "crosslingual" / "xnli").rglob("dev-??.tsv")):
        lines = path.read_text(encoding="utf-8").splitlines()[:150]
        found[path.stem[-2:]] = [line.split("\t")[1] for line in lines]
    assert len(found) == 15
    return found
