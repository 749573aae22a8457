"""The bench of results folders runs every step, on a small grid. Nothing here is timed."""

import pytest

from itt_jax import bench
from itt_jax.bench.store_steps import GROUP, STEPS
from itt_jax.errors import InputError


@pytest.mark.slow
@pytest.mark.volume
def test_every_step_of_a_small_grid():
    figures, text = bench.run("store", bench.Request(None, 1, sizes=(str(GROUP),)))
    assert [(row["step"], row["cells"]) for row in figures["store"]] == [(step, GROUP) for step in STEPS]
    assert all(row["seconds"] > 0 and row["peak_mib"] > 10 for row in figures["store"])
    assert 1 < figures["store"][0]["kb_per_cell"] < 10
    assert "analyse" in text


@pytest.mark.parametrize("size", ["tiny", "0", "-1"])
def test_sizes_are_numbers_of_cells(size):
    with pytest.raises(InputError, match=rf"--sizes: found '{size}', expected numbers of cells"):
        bench.run("store", bench.Request(None, 1, sizes=(size,)))
