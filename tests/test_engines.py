"""SkyPilot and Slurm are given tasks that they can read, and whose commands are workers on one results folder."""

import contextlib
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys

import pytest
import yaml

from itt_jax.store.results import read_results
from tests.study.test_hosts import SECONDS, STUDY

ROOT = pathlib.Path(__file__).parents[1]
TPU = {"ACCELERATOR": "v5litepod-16", "BUCKET": "gs://b", "LIFETIME": "90m"}
GPU = {"ACCELERATOR": "H100:8", "MODEL": "standard"}
RUN = ("run", "--config", "own.py", "--set", "name='a b'", "--out", "out")


def printed(script, *arguments, **settings):
    """What a script prints."""
    command = ["bash", str(ROOT / "tpu_scripts" / f"{script}.sh"), "itt", *arguments]
    environment = {"PATH": os.environ["PATH"], **settings}
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout


def test_a_skypilot_task_recovers_on_spot_and_ends():
    task = yaml.safe_load(printed("skypilot", *RUN, **TPU))
    assert task["resources"] == {
        "infra": "gcp",
        "accelerators": "tpu-v5litepod-16",
        "accelerator_args": {"runtime_version": "v2-alpha-tpuv5-lite"},
        "use_spot": True,
        "job_recovery": "EAGER_NEXT_REGION",
    }
    assert task["file_mounts"] == {"/results": {"source": "gs://b", "mode": "MOUNT"}}
    words = ["timeout", "5400s", ".venv/bin/python", "-m", "itt_jax.main", *RUN, "--distributed"]
    assert shlex.split(task["run"]) == words
    assert "'jax[tpu]'" in task["setup"]

    for share, package in (("gs://b/x", ".[gcs]"), ("s3://b/x", ".[s3]"), ("/shared/x", ".")):
        assert f"-e '{package}' 'jax[tpu]'" in printed("skypilot", *RUN, "--share", share, **TPU)

    task = yaml.safe_load(printed("skypilot", *RUN, **GPU))
    assert task["resources"] == {"accelerators": "H100:8", "use_spot": False, "job_recovery": "EAGER_NEXT_REGION"}
    assert "file_mounts" not in task and "--distributed" not in task["run"] and "'jax[cuda13]'" in task["setup"]


@pytest.mark.parametrize("settings", [TPU, GPU], ids=["TPU", "GPU"])
def test_skypilot_reads_its_task(settings, tmp_path):
    sky = pytest.importorskip("sky", reason="SkyPilot is not installed: it is larger than this package")
    (tmp_path / "task.yaml").write_text(printed("skypilot", *RUN, **settings))
    (resources,) = sky.Task.from_yaml(str(tmp_path / "task.yaml")).resources
    assert resources.job_recovery["strategy"] == "EAGER_NEXT_REGION"
    assert resources.use_spot is (settings is TPU)


def test_a_slurm_array_has_a_task_a_worker_and_a_limit():
    text = printed("slurm", *RUN, COUNT="8", LIFETIME="90m", GPUS="4", PARTITION="long")
    found = dict(line.split("=", 1) for line in re.findall("^#SBATCH --(.*=.*)", text, re.MULTILINE))
    assert found == {
        "job-name": "itt",
        "array": "0-7",
        "nodes": "1",
        "ntasks": "1",
        "gres": "gpu:4",
        "time": "90",
        "open-mode": "append",
        "output": "itt-%A_%a.log",
        "partition": "long",
    }
    assert "#SBATCH --requeue\n" in text
    assert "gres" not in printed("slurm", *RUN, GPUS="0") and "\n\n" not in text
    assert subprocess.run(["bash", "-n"], input=text, text=True).returncode == 0
    assert shlex.split(text.splitlines()[-1]) == ["srun", ".venv/bin/python", "-m", "itt_jax.main", *RUN]


CLUSTER = """
ClusterName=none
SlurmctldHost=localhost
AuthType=auth/none
CredType=cred/none
NodeName=localhost
PartitionName=none Nodes=ALL
MessageTimeout=2
"""


def test_sbatch_reads_its_job(tmp_path):
    """It says what it has read before it looks for a cluster, which there is not."""
    if shutil.which("sbatch") is None:
        pytest.skip("Slurm's client is not installed")
    (tmp_path / "slurm.conf").write_text(CLUSTER)
    (tmp_path / "itt.sbatch").write_text(printed("slurm", *RUN, COUNT="8", LIFETIME="90m", GPUS="4", PARTITION="long"))
    command = ["sbatch", "--test-only", "-v", "itt.sbatch"]
    environment = os.environ | {"SLURM_CONF": str(tmp_path / "slurm.conf")}
    said = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60).stderr
    found = dict(re.findall("^sbatch: ([a-z-]+) +: (.*)$", said, re.MULTILINE))
    assert found.pop("gres").endswith("gpu:4"), said
    assert found == {
        "array": "0-7",
        "job-name": "itt",
        "nodes": "1",
        "ntasks": "1",
        "open-mode": "a",
        "output": f"{tmp_path}/itt-%A_%a.log",
        "partition": "long",
        "requeue": "requeue",
        "test-only": "set",
        "time": "01:30:00",
        "verbose": "1",
    }


@pytest.mark.slow
@pytest.mark.volume
def test_workers_of_both_engines_drain_one_plan(tmp_path):
    """The commands as each engine would start them; `srun` is a stand-in, and .venv this environment."""
    (tmp_path / "own.py").write_text(STUDY)
    for name, body in (("srun", 'exec "$@"'), (".venv/bin/python", f'exec {sys.executable} "$@"')):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"#!/usr/bin/env bash\n{body}\n")
        (tmp_path / name).chmod(0o755)
    jobs = [printed("slurm", *RUN, "--json"), yaml.safe_load(printed("skypilot", *RUN, "--json", **GPU))["run"]]
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    kept = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    workers = [subprocess.Popen(["bash", "-c", job], cwd=tmp_path, env=environment, **kept) for job in jobs]
    try:
        ended = [worker.communicate(timeout=3 * SECONDS) for worker in workers]
    finally:
        for worker in workers:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(worker.pid, signal.SIGKILL)
    assert not any(worker.returncode for worker in workers), ended
    made = [json.loads(out.splitlines()[-1]) for out, _ in ended]
    assert sum(own["made"] for own in made) == made[0]["cells"] == len(read_results(tmp_path / "out")) > 0
