"""Fixtures that several test modules share."""

import os
import pathlib

import pytest

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
# Test processes share what they compile; nothing is left in the user's own cache.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(pathlib.Path(__file__).parents[1] / ".pytest_cache" / "jax"))
# Tests compile far longer than they compute; without LLVM's optimisations it takes half the time.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")


@pytest.fixture(scope="session")
def data_root() -> pathlib.Path:
    """The folder of real data in its published formats; tests that need it skip where it is absent."""
    root = pathlib.Path(os.environ.get("ITT_JAX_DATA", pathlib.Path(__file__).parents[2] / "shared" / "data"))
    if not root.is_dir():
        pytest.skip(f"real data is not at {root}; set ITT_JAX_DATA")
    return root
