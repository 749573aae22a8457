"""Scripts for TPU VMs call gcloud, here a stand-in, with options that it has; --dry-run prints what they would call."""

import fcntl
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tomllib

import pytest
from packaging.requirements import Requirement

from itt_jax import main
from itt_jax.accelerators import topologies

ROOT = pathlib.Path(__file__).parents[1]
SCRIPTS = ROOT / "tpu_scripts"
COMMANDS = {
    "create": [],
    "setup": [],
    "run": ["run", "--config", "x.py", "--set", "a=[1, 'b c']"],
    "watch": ["my runs/x"],
    "fetch": ["my runs/x", "DESTINATION"],
    "delete": [],
}
"""Arguments after NAME ZONE."""
PLACE = {"--zone", "--project"}
SSH = PLACE | {"--worker", "--command"}
CREATE = PLACE | {
    "--node-id",
    "--accelerator-type",
    "--runtime-version",
    "--valid-until-duration",
    "--scopes",
    "--spot",
}
CREATE |= {"--metadata", "--metadata-from-file", "--service-account"}
GCLOUD = {
    ("compute", "tpus", "queued-resources", "create"): CREATE,
    ("alpha", "compute", "tpus", "queued-resources", "create"): CREATE | {"--provisioning-model", "--max-run-duration"},
    ("compute", "tpus", "queued-resources", "describe"): PLACE | {"--format"},
    ("compute", "tpus", "queued-resources", "delete"): PLACE | {"--force", "--quiet"},
    ("compute", "tpus", "tpu-vm", "ssh"): SSH,
    ("compute", "tpus", "tpu-vm", "scp"): PLACE | {"--worker"},
    # Those of BUILD.md alone:
    ("compute", "tpus", "queued-resources", "list"): PLACE,
    ("projects", "add-iam-policy-binding"): {"--member", "--role"},
    ("projects", "describe"): set(),
    ("services", "enable"): set(),
    ("config", "set", "project"): set(),
    ("auth", "login"): set(),
}
"""Commands of gcloud and the options of theirs that are used (Google Cloud SDK 528.0.0)."""
STAND_IN = """#!/usr/bin/env bash
printf -v words '\\037%s' "$@"
line=$'\\n' mark=$'\\035' # written in one piece, as others are called at the same time: bash writes each line by itself
printf '%s\\036' "${0##*/}${words//$line/$mark}" >> "$CALLS"
[[ "$*" != *"${FAILS_ON:-nothing fails}"* ]]
"""
SETTINGS = {"PROJECT": "p", "ACCELERATOR": "v5litepod-8"}


@pytest.fixture
def tools(tmp_path):
    """A folder of stand-ins that note how they are called; `tar`, `git`, `mkdir` and `rm` are among them."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in ("gcloud", "tar", "git", "mkdir", "rm"):
        (folder / name).write_text(STAND_IN)
        (folder / name).chmod(0o755)
    return folder


def called(tools, *command, **settings):
    """How a command ended, and what it called."""
    calls = tools / "calls"
    calls.write_bytes(b"")
    environment = {"PATH": f"{tools}:{os.environ['PATH']}", "CALLS": str(calls), "TMPDIR": str(tools), **SETTINGS}
    environment |= settings
    done = subprocess.run(["bash", *command], capture_output=True, text=True, env=environment, cwd=tools.parent)
    return done, sorted(call.split("\037") for call in calls.read_text().replace("\035", "\n").split("\036")[:-1])


def script(name, *arguments):
    return [str(SCRIPTS / f"{name}.sh"), *arguments]


def options(call):
    return {word.partition("=")[0]: word.partition("=")[2] for word in call if word.startswith("--")}


def placed(tools, **bodies):
    """Replace stand-ins by programs of these bodies."""
    for name, body in bodies.items():
        path = tools / name.replace("_", "-")
        path.write_text(f"#!/usr/bin/env bash\n{body}\n")
        path.chmod(0o755)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        *((name, {"COUNT": "2"}) for name in COMMANDS),
        ("create", {"MODEL": "flex-start"}),
        ("create", {"MODEL": "standard", "SERVICE_ACCOUNT": "a@b"}),
    ],
)
def test_dry_run_prints_the_commands_that_are_called(tools, name, settings):
    printed, calls = called(tools, *script(name, "--dry-run", "itt", "z", *COMMANDS[name]), **settings)
    assert not printed.returncode and not calls
    _, expected = called(tools, "-c", printed.stdout, **settings)
    done, calls = called(tools, *script(name, "itt", "z", *COMMANDS[name]), **settings)
    assert not done.returncode, done.stderr
    assert calls == expected != []
    for call in calls:
        if call[0] == "gcloud":
            words = tuple(call[1 : 6 if call[1] == "alpha" else 5])
            assert options(call).keys() <= GCLOUD[words] and options(call)["--zone"] == "z"
            assert options(call)["--project"] == "p"


@pytest.mark.parametrize("name", [*COMMANDS, "skypilot", "slurm"])
def test_help_says_how_a_script_is_called(tools, name):
    done, calls = called(tools, *script(name, "--help"))
    assert not done.returncode and not calls and f"{name}.sh" in done.stdout.splitlines()[0]
    prints = [] if name in COMMANDS else [["--dry-run", "itt", "report"]]
    for arguments in (["--dry"], ["Itt", "z", "a", "b"], *prints):
        done, calls = called(tools, *script(name, *arguments))
        assert done.returncode == 2 and not calls and len(done.stderr.splitlines()) == 1


def test_a_request_names_its_vm_ends_and_leaves_the_queue(tools):
    done, (first, second) = called(tools, *script("create", "itt", "z"), COUNT="2", LIFETIME="90m", WAIT="2d")
    assert not done.returncode
    assert first[5] == options(first)["--node-id"] == "itt-0" and second[5] == "itt-1"
    own = options(first)
    assert own["--metadata"] == "queued-resource=itt-0,lifetime-seconds=5400"
    assert own["--metadata-from-file"] == f"startup-script={SCRIPTS / 'lifetime.sh'}"
    assert own["--valid-until-duration"] == "172800s" and "--spot" in own
    _, (flexible,) = called(tools, *script("create", "itt", "z"), MODEL="flex-start")
    own = options(flexible)
    assert own["--max-run-duration"] == "43200s" and not {"--spot", "--metadata"} & set(own)
    _, (standard,) = called(tools, *script("create", "itt", "z"), MODEL="standard")
    assert "--metadata" in options(standard) and "--spot" not in options(standard)


@pytest.mark.parametrize(
    ("accelerator", "version"),
    [
        ("v2-8", "tpu-ubuntu2204-base"),
        ("v4-16", "tpu-ubuntu2204-base"),
        ("v5litepod-8", "v2-alpha-tpuv5-lite"),
        ("v5p-8", "v2-alpha-tpuv5"),
        ("v6e-8", "v2-alpha-tpuv6e"),
    ],
)
def test_the_runtime_is_that_of_the_accelerator(tools, accelerator, version):
    _, (call,) = called(tools, *script("create", "itt", "z"), ACCELERATOR=accelerator)
    assert options(call)["--runtime-version"] == version
    row = f"`{accelerator.partition('-')[0]}-N`"
    assert any(row in line and f"`{version}`" in line for line in (ROOT / "BUILD.md").read_text().splitlines())


@pytest.mark.parametrize("setting", ["LIFETIME=8", "WAIT=x", "COUNT=0", "MODEL=cheap", "ACCELERATOR=h100"])
def test_bad_settings_are_named(tools, setting):
    name, _, value = setting.partition("=")
    done, calls = called(tools, *script("create", "itt", "z"), **{name: value})
    assert done.returncode == 2 and not calls
    assert done.stderr.startswith(f"error: {name}: found '{value}', expected")


def test_run_starts_every_host_of_every_vm_and_other_commands_the_first(tools):
    _, calls = called(tools, *script("run", "itt", "z", "run", "--set", "seeds=[{}]"), COUNT="2")
    assert [(call[5], options(call)["--worker"]) for call in calls] == [("itt-0", "all"), ("itt-1", "all")]
    for number, call in enumerate(calls):
        assert f" run --set 'seeds=[{number}]' --distributed >&9 " in options(call)["--command"]
    _, (call,) = called(tools, *script("run", "itt-3", "z", "run", "--set", "seeds=[{}]"), COUNT="")
    assert call[5] == "itt-3" and "'seeds=[3]'" in options(call)["--command"]
    _, (call,) = called(tools, *script("run", "itt", "z", "run", "--set", "seeds=[{}]"))
    assert "'seeds=[{}]'" in options(call)["--command"]
    _, (call,) = called(tools, *script("run", "itt", "z", "report", "--out", "x"), COUNT="2")
    assert options(call)["--worker"] == "0" and "--distributed" not in options(call)["--command"]


def test_the_connection_closes_while_the_command_runs_and_it_runs_once(tools, tmp_path):
    """The command for the host runs here, as ssh would: until nobody has its output open."""
    (tmp_path / "itt_jax/.venv/bin").mkdir(parents=True)
    log = tmp_path / "itt_jax/run.log"
    os.mkfifo(tmp_path / "end")
    end = os.open(tmp_path / "end", os.O_RDWR)  # what is written waits for a reader
    placed(tmp_path / "itt_jax/.venv/bin", python='read -r < ../end; echo "$@"')
    _, (call,) = called(tools, *script("run", "itt", "z", "report", "--out", "my runs"))

    def start(folder):
        command = ["bash", "-c", options(call)["--command"]]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)

    try:
        for number in (1, 2):
            first, second = start(tmp_path), start(tmp_path)
            assert not first.returncode and not first.stdout + first.stderr
            assert second.returncode == 1 and second.stderr.endswith(": the last command still runs\n")
            os.write(end, b"\n")
            with log.open() as file:
                fcntl.flock(file, fcntl.LOCK_EX)
            assert log.read_text() == "-m itt_jax.main report --out my runs\n" * number
        assert start(tools).returncode == 1
    finally:
        os.write(end, b"\n" * 4)
        os.close(end)


def test_watch_goes_on_without_one_vm_and_follows_the_first_that_answers(tools):
    arguments = script("watch", "itt", "z", "my runs/x")
    done, calls = called(tools, *arguments, COUNT="3", FAILS_ON="itt-0")
    assert not done.returncode
    assert done.stdout.splitlines() == ["itt-0: no request", "itt-0: no VM, or no log there"]
    followed = [call[5] for call in calls if "itt_jax.main watch --out 'my runs/x'" in call[-1]]
    assert followed == ["itt-1"] and len(calls) == 7
    for fails in ("describe", "ssh"):
        done, calls = called(tools, *arguments, COUNT="3", FAILS_ON=fails)
        assert done.returncode == 1 and len(calls) == (3 if fails == "describe" else 6)


@pytest.mark.parametrize("name", ["create", "setup", "run", "delete"])
def test_one_vm_that_fails_fails_the_script_and_not_the_others(tools, name):
    done, calls = called(tools, *script(name, "itt", "z", *COMMANDS[name]), COUNT="3", FAILS_ON="itt-1")
    assert done.returncode == 1
    assert {word for call in calls for word in call if re.fullmatch(r"itt-\d", word)} >= {"itt-0", "itt-2"}


@pytest.mark.parametrize("status", [0, 1, 2])
def test_what_is_fetched_is_there_and_parameters_are_not(tools, tmp_path, status):
    """The command for the host runs here; `gcloud scp` is a copy. tar ends with 1 where a file changed."""
    for name in ("tar", "mkdir", "rm"):
        (tools / name).unlink()
    run = 'for word in "$@"; do [[ $word == --command=* ]] && exec bash -c "${word#--command=}"; done'
    placed(
        tools,
        gcloud=f'{run}\ncp "${{5#*:}}" "$6"',
        tar=f'{shutil.which("tar")} "$@" && if [[ $1 == -c* ]]; then exit {status}; fi',
    )
    out = tmp_path / "itt_jax" / "my runs"
    for path in ("plan.json", "stages/s/record.json", "stages/s/checkpoint/params", "claims/s", "cells/c"):
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        (out / path).write_text("x")
    done, _ = called(tools, *script("fetch", "itt", "z", "my runs", "fetched"))
    if status == 2:
        assert done.returncode and not (tmp_path / "fetched/plan.json").exists()
        return
    assert not done.returncode, done.stderr
    fetched = {
        str(path.relative_to(tmp_path / "fetched")) for path in (tmp_path / "fetched").rglob("*") if path.is_file()
    }
    assert fetched == {"plan.json", "stages/s/record.json", "cells/c"}


def test_a_vm_is_deleted_at_its_deadline_however_often_it_starts(tools, tmp_path):
    """The first start sets the deadline. systemd-run is a stand-in that calls at once; gcloud fails twice."""
    values = {"attributes/lifetime-seconds": "100", "attributes/queued-resource": "itt-1", "zone": "projects/7/zones/z"}
    cases = "".join(f"*instance/{name}) echo {value} ;; " for name, value in values.items())
    retries = "[[ $* == *'--retry 20 --retry-all-errors --retry-delay 5'* ]] || exit 22"
    placed(
        tools,
        curl=f'{retries}\ncase "$*" in {cases} *project/project-id) echo p ;; esac',
        date='echo "$NOW"',
        sleep=":",
        systemd_run='echo "$@" > timer; exec "${@: -3}"',
        gcloud='echo "$@" >> deletions; [[ $(wc -l < deletions) == 3 ]]',
    )
    for now, left in ((1000, 100), (1060, 40), (2000, 1)):
        (tmp_path / "deletions").unlink(missing_ok=True)
        done, _ = called(tools, *script("lifetime", str(tmp_path / "deadline")), NOW=str(now))
        assert not done.returncode, done.stderr
        assert f"--on-active={left}s" in (tmp_path / "timer").read_text()
        deletion = "compute tpus queued-resources delete itt-1 --zone=z --project=p --force --quiet"
        assert (tmp_path / "deletions").read_text().splitlines() == [deletion] * 3


@pytest.mark.parametrize(
    ("status", "timer", "refused"), [(200, 0, False), (200, 3, True), (0, 3, True), (404, 3, False)]
)
def test_setup_refuses_a_vm_that_nothing_would_end(tools, status, timer, refused):
    """404 is the answer where no lifetime was asked for: Google ends the VM. No answer (0) is not that."""
    _, calls = called(tools, *script("setup", "itt", "z"))
    (command,) = (options(call)["--command"] for call in calls if "ssh" in call)
    placed(tools, curl=f"printf %03d {status}; (({status}))", systemctl=f"exit {timer}", mkdir="echo set up; exit 9")
    done, _ = called(tools, "-c", command)
    assert ("nothing would end this VM" in done.stderr) is refused and done.returncode == (1 if refused else 9)
    assert ("set up" in done.stdout) is not refused


def test_commands_of_build_exist(tools):
    """Scripts take them, gcloud has them, and what they run is a command line of ours."""
    text = (ROOT / "BUILD.md").read_text(encoding="utf-8").partition("## From nothing")[2].replace("\\\n", " ")
    lines = re.findall("^    +(.*)", text, re.MULTILINE) + re.findall("`((?:gcloud|plan) [^`]*)`", text)
    seen = set()
    for line in lines:
        words = shlex.split(line.partition(" # ")[0].partition(" > ")[0])
        settings = {}
        while "=" in words[0]:
            name, _, settings[name] = words.pop(0).partition("=")
        seen.add(pathlib.Path(words[0]).name)
        if words[0].startswith("tpu_scripts/"):
            engine = pathlib.Path(words[0]).stem in ("skypilot", "slurm")
            ours = words[2 if engine else 3 :] if engine or "run.sh" in words[0] else ["list", "models"]
            words = words if engine else [words[0], "--dry-run", *words[1:]]
            done, calls = called(tools, *[str(ROOT / words[0]), *words[1:]], **settings)
            assert not done.returncode and not calls, done.stderr
        elif words[0] == "gcloud":
            known = next(command for command in GCLOUD if tuple(words[1 : 1 + len(command)]) == command)
            assert {word.partition("=")[0] for word in words if word.startswith("--")} <= GCLOUD[known], line
            continue
        elif words[:3] == ["python", "-m", "itt_jax.main"]:
            ours = words[3:]
        elif words[0] == "plan":
            ours = [*words, "--config", "x.py"]
        else:
            assert words[0] in ("export", "sky", "sbatch"), line
            continue
        main.parser().parse_args(ours)
    assert {f"{name}.sh" for name in [*COMMANDS, "skypilot", "slurm"]} <= seen
    assert all(map(topologies.parsed, re.findall(r"[a-z0-9]+:\d+x\d+(?:x\d+)?", text)))


def test_setup_pins_what_the_package_depends_on():
    lines = (SCRIPTS / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for line in [*project["dependencies"], *project["optional-dependencies"]["gcs"]]:
        needed = Requirement(line)
        assert pins[needed.name.lower()] in needed.specifier, line


@pytest.mark.slow
@pytest.mark.volume
def test_shellcheck_finds_nothing():
    beside = pathlib.Path(sys.executable).with_name("shellcheck")
    found = shutil.which("shellcheck") or (beside.exists() and str(beside))
    if not found:
        pytest.skip("shellcheck is not installed")
    done = subprocess.run([found, "-x", *sorted(SCRIPTS.glob("*.sh"))], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == ""
