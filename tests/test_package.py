"""The distribution: its wheel and sdist install and run elsewhere, types are sound, files beside it are well formed."""

import itertools
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib

import pytest

import itt_jax
from itt_jax import main

ROOT = pathlib.Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
BUILT = ("itt_jax", "configs", "pyproject.toml", "setup.py", "MANIFEST.in", *PROJECT["license-files"])
BUILT += ("README.md", "BUILD.md", "CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "Dockerfile")
BUILD = "import sys; from setuptools import build_meta; print(getattr(build_meta, sys.argv[1])(sys.argv[2]))"


def program(name):
    """A checker that is installed beside Python."""
    found = shutil.which(name, path=sysconfig.get_path("scripts")) or shutil.which(name)
    return found or pytest.skip(f"{name} is not installed")


def build(kind, source, out):
    """Build a distribution with the project's backend; returns its file."""
    command = [sys.executable, "-c", BUILD, f"build_{kind}", str(out)]
    done = subprocess.run(command, cwd=source, check=True, capture_output=True, text=True)
    return out / done.stdout.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.volume
def test_the_wheel_of_the_sdist_runs_in_a_new_environment(tmp_path):
    source, out = tmp_path / "source", tmp_path / "out"
    source.mkdir()
    for name in BUILT:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    sdist = build("sdist", source, out)
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    assert {name for name in BUILT if (unpacked / name).exists()} == set(BUILT)
    wheel = build("wheel", unpacked, out)
    python = tmp_path / "venv/bin/python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    install = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "-q",
        "--no-deps",
        "--no-index",
        str(wheel),
    ]
    subprocess.run(install, check=True)
    (site,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    (site / "shared.pth").write_text(sysconfig.get_path("purelib"))  # dependencies; hooks of that folder do not run
    assert (site / "itt_jax/py.typed").is_file() and list(site.glob("itt_jax-*/licenses/LICENSE"))
    shipped = {path.name for path in (ROOT / "configs").glob("*.py")}
    assert {path.name for path in (site / "itt_jax/configs").iterdir()} - {"__pycache__"} == shipped
    inside = {path.relative_to(ROOT) for path in (ROOT / "itt_jax").rglob("*") if "__pycache__" not in path.parts}
    assert all((site / path).exists() for path in inside)
    for command in ([tmp_path / "venv/bin/itt-jax"], [python, "-m", "itt_jax.main"]):
        shown = [*command, "config", "--config", "real_small", "--print"]
        done = subprocess.run(shown, cwd=tmp_path, check=True, capture_output=True, text=True, env={})
        assert "real_small" in done.stdout


@pytest.mark.slow
@pytest.mark.volume
def test_types_are_sound(tmp_path):
    command = [program("mypy"), "--cache-dir", tmp_path, "--python-executable", sys.executable]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]


def test_the_dockerfile_is_clean():
    done = subprocess.run([program("hadolint"), ROOT / "Dockerfile"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_what_the_dockerfile_copies_is_not_ignored():
    copied = re.findall(r"^COPY (.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    kept = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    names = {name for line in copied for name in line.split()}
    assert names == set(kept) and all((ROOT / name).exists() for name in names)


def test_the_command_of_the_dockerfile_mounts_what_it_names_and_any_user_can_write():
    """`docker run` as the comment gives it, and the folders that the image sets."""
    text = (ROOT / "Dockerfile").read_text()
    comment = re.sub(r"^# *", "", text.partition("FROM ")[0], flags=re.MULTILINE).replace("\\\n", " ")
    (line,) = (line for line in comment.splitlines() if "docker run" in line)
    words = shlex.split(line.partition(" && ")[2])
    mounts = [word for flag, word in itertools.pairwise(words) if flag == "-v"]
    arguments = main.parser().parse_args(words[words.index("itt_jax") + 1 :])
    assert mounts == ["$PWD/runs:/work/runs", f"DATA:{arguments.data_root}:ro"]
    assert line.startswith("mkdir -p runs && ") and "--user" in words
    env = dict(pair.split("=") for pair in re.search("^ENV (.+)$", text, re.MULTILINE).group(1).split())
    open_to_all = [*re.search("chmod 1777 (.+)$", text, re.MULTILINE).group(1).split(), "/tmp/numba"]
    assert set(env.values()) <= set(open_to_all) and "/work" in open_to_all


def test_the_script_of_ci_is_clean():
    done = subprocess.run([program("shellcheck"), ROOT / ".ci/run"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_versions_and_licence_agree():
    citation = dict(re.findall(r"^([\w-]+): (.+)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE))
    assert citation["version"] == itt_jax.__version__ == PROJECT["version"]
    assert citation["license"] == PROJECT["license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text() and len((ROOT / "LICENSE").read_text()) > 11_000


def test_extras_for_accelerators_name_the_jax_that_is_needed():
    (jax,) = (name for name in PROJECT["dependencies"] if name.startswith("jax>="))
    extras = PROJECT["optional-dependencies"]
    assert extras["gpu"] == [jax.replace("jax", "jax[cuda13]")] and extras["tpu"] == [jax.replace("jax", "jax[tpu]")]
    # The compilers are those of the machines: JAX reads the programs of its own version of a compiler only.
    assert extras["compile-tpu"] == ["itt_jax[tpu]"] and extras["compile-cuda"] == ["itt_jax[gpu]"]
