"""Where and with what results were computed. Provenance is stored beside results and is not part of any id."""

import functools
import hashlib
import pathlib
import platform
import subprocess
from collections.abc import Iterable
from typing import Any

import jax

import itt_jax
from itt_jax.config import Precision
from itt_jax.errors import InputError
from itt_jax.models import Encoder
from itt_jax.store import Store
from itt_jax.train.precision import ARITHMETICS, Arithmetic, evaluation_arithmetic

CODE = (".py", ".json", ".tsv", ".txt")  # tables and embedded texts determine results as code does


def provenance(arithmetic: Arithmetic) -> dict[str, Any]:
    """Device, precision and versions of a computation."""
    import flax
    import jaxlib
    import optax

    device = jax.devices()[0]
    return {
        "device": f"{jax.device_count()} x {device.device_kind} ({platform.machine()})",
        "precision": arithmetic.name,
        "versions": {
            "itt_jax": itt_jax.__version__,
            "code": code(pathlib.Path(itt_jax.__file__).parent),
            "jax": jax.__version__,
            "jaxlib": jaxlib.__version__,
            "flax": flax.__version__,
            "optax": optax.__version__,
            "python": platform.python_version(),
        },
    }


@functools.cache
def code_digest(package: pathlib.Path) -> str:
    """A hash (12 hexadecimal digits) of all files of a package that determine results."""
    digest = hashlib.sha256()
    for path in sorted(path for path in package.rglob("*") if path.suffix in CODE):
        digest.update(path.relative_to(package).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:12]


@functools.cache
def code(package: pathlib.Path) -> str:
    """The digest of a package, with the commit of its checkout and whether files differ from it.

    For an installed package, or one whose repository git cannot read, only the digest.
    """
    found = code_digest(package)
    if not (package.parent / ".git").exists():
        return found
    git = ["git", "-C", str(package)]
    try:
        commit = subprocess.check_output([*git, "rev-parse", "--short=12", "HEAD"], stderr=subprocess.DEVNULL)
        changes = subprocess.check_output([*git, "status", "--porcelain", "."], stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        return found
    return f"{found} (commit {commit.decode().strip()}{', with changes' if changes else ''})"


def agreed_arithmetic(store: Store, model: str, encoder: Encoder, precision: Precision) -> Arithmetic:
    """The arithmetic in which all workers on a folder evaluate a model; the first one chooses it for its machine."""
    return ARITHMETICS[store.agreed.precision(model, lambda: evaluation_arithmetic(encoder, precision).name)]


def check_precision(store: Store, precision: Precision, models: Iterable[str], stages: Iterable[str] = ()) -> None:
    """Check that the folder's parts of a study were computed in the requested precision.

    Args:
        models: names of encoders. stages: ids.

    Raises:
        InputError: they were computed in another one.
    """
    if precision == "auto":
        return
    found = {f"{model} is evaluated": own for model, own in store.agreed.precisions(models).items()}
    for record in filter(None, map(store.record, stages)):
        if "precision" in record:
            about = f"{record.get('encoder')}, {record.get('kind')}"
            found[f"stage {record['id']} ({about}) was trained"] = record["precision"]
    for what, own in found.items():
        if own != precision:
            raise InputError(
                f"--out {store.out}: {what} in {own} there, found precision {precision!r}; expected {own!r}, "
                "'auto', or another --out"
            )
