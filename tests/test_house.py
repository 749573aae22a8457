"""The house: imports run one way, nothing of PyTorch's is needed, and the TPU scripts say what they mean."""

import ast
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
PACKAGE = ROOT / "itt_jax"
# Each room may import itself and those after it; the list runs from the door inwards.
ROOMS = (
    "main",
    "bench",
    "report",
    "study",
    "evaluate",
    "train",
    "config",
    "score",
    "tasks",
    "data",
    "models",
    "families",
    "perturb",
    "ragged",
    "files",
    "errors",
)
BESIDE = {("models", "perturb"), ("data", "models"), ("families", "perturb"), ("families", "ragged")}


def imports(path: pathlib.Path) -> set[str]:
    """Rooms of ours that a module imports at its top level."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "itt_jax":
            parts = node.module.split(".")
            found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path):
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if room == "__init__":
        return
    for other in imports(path) - {room}:
        assert ROOMS.index(other) > ROOMS.index(room) and (room, other) not in BESIDE, f"{room} imports {other}"


def test_models_and_perturb_know_nothing_of_the_rest():
    for room in ("models", "perturb"):
        for path in (PACKAGE / room).rglob("*.py"):
            assert imports(path) <= {room, "families", "ragged", "files", "errors"}, path


def test_nothing_imports_torch_or_unpickles():
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        nodes = list(ast.walk(ast.parse(text)))
        modules = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        modules |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
        found = {module.split(".")[0] for module in modules}
        assert not found & {"torch", "pickle"} and "trust_remote_code=True" not in text, path


def test_perturbing_and_listing_do_not_import_jax():
    code = (
        "import sys, itt_jax; itt_jax.perturb.perturb(['a b'], 'swap', 0.5, 'en');"
        "from itt_jax.study.listing import listing; listing('tasks'); print('jax' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize(
    ("script", "arguments", "says"),
    [
        ("create", [], "tpus tpu-vm create itt --zone z --project p --accelerator-type v5litepod-8 --version v2"),
        ("run", ["run", "--set", "a=[1, 2]"], r"-m itt_jax.main run --set a=\[1\,\ 2\]"),
        ("watch", ["/out"], "tail -n 20 -F '/out/log.jsonl'"),
        ("delete", [], "tpus tpu-vm delete itt --zone z --quiet"),
    ],
)
def test_tpu_scripts_call_gcloud(tmp_path, script, arguments, says):
    stand_in = tmp_path / "gcloud"
    stand_in.write_text('#!/bin/sh\necho "$@"\n')
    stand_in.chmod(0o755)
    environment = os.environ | {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "PROJECT": "p",
        "ACCELERATOR": "v5litepod-8",
        "VERSION": "v2",
    }
    command = ["bash", str(ROOT / "tpu_scripts" / f"{script}.sh"), "itt", "z", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert says in done.stdout
    missing = subprocess.run(command[:2], capture_output=True, text=True, env=environment)
    assert missing.returncode != 0 and "usage:" in missing.stderr
