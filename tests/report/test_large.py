"""The page of a large study stays small and quick: what grows with its cells is loaded on demand."""

import pytest

from tests.report import browser as browsers
from tests.report import large

pytestmark = [
    pytest.mark.slow,
    pytest.mark.volume,
    pytest.mark.skipif(bool(browsers.MISSING), reason=f"needs a browser: {browsers.MISSING}"),
]


def test_a_page_opens_at_once_and_loads_examples_when_they_are_read(tmp_path):
    """A grid of 1,968 cells; `python -m tests.report.large` does the same with 102,600."""
    grid = {"encoders": ("bert",), "targets": ("sentiment",), "seeds": 2, "languages": ("en", "de", "ar", "zh")}
    cells = large.write(tmp_path, operators=large.OPERATORS[:10], **grid)
    made, held, opened = large.steps(tmp_path)
    assert made["cells"] == cells == 3 * 2 * 2 * 4 * 41
    assert held["page bytes"] < large.PAGE_BYTES / 10 and held["side files"] == 2 * 4 * 40
    assert held["largest side file bytes"] < 2**20 < held["side files bytes"]
    assert opened["loaded with the page"] == 0 and opened["side files loaded"] == 1
    assert opened["loaded s"] < large.OPEN_SECONDS and opened["filter s"] < large.OPEN_SECONDS
