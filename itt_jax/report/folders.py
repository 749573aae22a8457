"""The page of any results folder, of a study or of work on one checkpoint, made again from what is in it."""

import pathlib

from itt_jax.attack.outcomes import Outcome
from itt_jax.report.attack_page import write_attack_page
from itt_jax.report.certificate_page import write_certificate_page
from itt_jax.store.parts import PartsFolder


def write_page_of_parts(out: pathlib.Path) -> pathlib.Path | None:
    """Write the page of a folder that `attack` or `certify` made; None for another folder.

    Raises:
        InputError: the work is not finished, or a file is damaged.
    """
    attacked, certified = (PartsFolder(pathlib.Path(out), noun) for noun in ("attack", "certificate"))
    if attacked.is_begun and (about := attacked.existing()) is not None:
        named = {"encoder": f"stage {about.get('stage')}"} | about  # an attack of a study has no other name
        return write_attack_page(out, named, [Outcome(**row) for row in attacked.rows()])
    if certified.is_begun and (about := certified.existing()) is not None:
        return write_certificate_page(out, about, certified.summary())
    return None
