"""What the smoke tests of the benches share."""

from collections.abc import Callable

import pytest

from itt_jax.bench import Request, ours, torch_peer

CEILINGS = {"float32": 1e11, "bfloat16": 5e10, "bfloat16_products": 5e10}


@pytest.fixture
def ceilings(monkeypatch):
    """Rates of matrix products that nobody measures: it takes seconds."""
    monkeypatch.setattr(ours, "ceilings", lambda: CEILINGS)


@pytest.fixture
def alone(monkeypatch):
    """As if PyTorch were absent."""
    monkeypatch.setattr(torch_peer, "installed", lambda: False)


@pytest.fixture
def small(monkeypatch) -> Callable[..., Request]:
    """The smallest request; fields may be given."""
    monkeypatch.delenv("ITT_JAX_DATA", raising=False)
    return lambda **given: Request(**({"repeats": 1, "steps": 1, "sizes": ("toy",), "encoders": ("bert",)} | given))
