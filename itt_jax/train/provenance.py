"""Where and with what results were computed. Provenance is stored beside results and is not part of any id."""

import functools
import hashlib
import pathlib
import platform
import subprocess
from collections.abc import Mapping
from typing import Any

import jax

import itt_jax
from itt_jax.train.precision import Arithmetic

CODE = (".py", ".json", ".tsv", ".txt")  # tables and embedded texts determine results as code does


def provenance(arithmetic: Arithmetic) -> dict[str, Any]:
    """Device, precision and versions of a computation."""
    found = made_with()
    return {"device": found["device"], "precision": arithmetic.name, "versions": found["versions"]}


def made_with() -> dict[str, Any]:
    """Devices and versions of this process; of several processes, the devices of all."""
    import flax
    import jaxlib
    import optax

    device = jax.devices()[0]
    return {
        "device": f"{jax.device_count()} x {device.device_kind} ({platform.machine()})",
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


def differ(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether results of the two may differ; a commit that changes no file of the package does not matter."""

    def essential(own: Mapping[str, Any]) -> tuple:
        return own["device"], {**own["versions"], "code": own["versions"]["code"].partition(" ")[0]}

    return essential(one) != essential(other)


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
