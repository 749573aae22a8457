"""The check that every cell passes: its scores are finite."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from itt_jax.errors import NotFiniteError


def check_finite(row: Mapping[str, Any], columns: Mapping[str, Sequence]) -> None:
    """Check that the scores of a cell are finite.

    Args:
        row, columns: those of the cell, as in `Cells.write`.

    Raises:
        NotFiniteError: a score or the metric's value is not; the message names the stage and the first such row.
    """
    scores = columns.get("scores", ())
    finite = not len(scores) or np.isfinite(np.concatenate([np.ravel(own) for own in scores])).all()
    if finite and np.isfinite(row.get("value", 0.0)):
        return
    of = [i for i, own in enumerate(scores) if not np.isfinite(own).all()]
    about = [str(row.get(name)) for name in ("model", "arm", "target")]
    place = "/".join(str(row.get(name)) for name in ("task", "split", "language"))
    form = f"{row.get('perturbation')} {row.get('severity')}"
    what = f"the {row.get('metric')}"
    if of:
        more = f" (and of {len(of) - 1} more)" if len(of) > 1 else ""
        what = f"the score of row {str(columns['item_id'][of[0]])!r:.80}{more}"
    raise NotFiniteError(
        f"stage {row.get('stage')} ({', '.join(about)}, seed {row.get('seed')}), {place}, {form}: {what} is not finite"
    )
