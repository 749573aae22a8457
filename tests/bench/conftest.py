"""What the smoke tests of the benches share."""

from collections.abc import Callable

import pytest

from itt_jax.bench import Request, evaluate, ours, torch_peer, train

CEILINGS = {"float32": 1e11, "bfloat16": 5e10, "bfloat16_products": 5e10}


@pytest.fixture
def ceilings(monkeypatch):
    """Rates of matrix products that nobody measures: it takes seconds."""
    monkeypatch.setattr(ours, "ceilings", lambda: CEILINGS)


@pytest.fixture(params=[True, False], ids=["bfloat16", "float32 only"])
def rounding(request, monkeypatch) -> bool:
    """Whether the benches take the processor for one that multiplies bfloat16."""
    for module in (ours, train, evaluate):
        monkeypatch.setattr(module, "multiplies_bfloat16", lambda: request.param)
    return request.param


@pytest.fixture
def alone(monkeypatch):
    """As if PyTorch were absent."""
    monkeypatch.setattr(torch_peer, "installed", lambda: False)


@pytest.fixture
def small(monkeypatch) -> Callable[..., Request]:
    """The smallest request; fields may be given."""
    monkeypatch.delenv("ITT_JAX_DATA", raising=False)
    return lambda **given: Request(**({"repeats": 1, "steps": 1, "sizes": ("toy",), "encoders": ("bert",)} | given))
