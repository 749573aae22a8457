"""Stopping: one line and the shell's exit code, also where the interrupt came at a bad moment; and full disks."""

import errno
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

from itt_jax import main
from itt_jax.cli import plan, run, stopping
from itt_jax.cli.stopping import Terminated

ASLEEP = """
import gc, signal, sys, time
from itt_jax import main
from itt_jax.cli import run

class Half:
    def __del__(self):
        raise AttributeError("what was to be closed is not there yet")

async def later():
    pass

def asleep(options):
    print("ready", flush=True)
    if "{where}" == "collector":
        gc.callbacks.append(lambda *about: time.sleep(2))
        gc.collect()
        gc.callbacks.clear()
    half, waiting = Half(), later()
    time.sleep(60)

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it for what runs in the background
run.run = asleep
sys.argv[1:] = ["run", "--out", "a b"]
main.run_and_exit()
"""


@pytest.mark.parametrize(
    ("number", "where", "code", "says"),
    [
        (signal.SIGINT, "here", 130, "interrupted. Finished work is kept; to continue: "),
        (signal.SIGTERM, "here", 143, "terminated. Finished work is kept; to continue: "),
        (signal.SIGINT, "collector", 130, "interrupted. "),
    ],
)
def test_a_signal_ends_in_one_line(number, where, code, says):
    command = [sys.executable, "-c", ASLEEP.format(where=where)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    try:
        _, err = process.communicate(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    assert process.returncode == code
    assert err.startswith("\n" + says) and err.count("\n") == 2
    assert err.endswith("python -m itt_jax.main run --out 'a b'\n")


def test_writers_that_another_one_s_failure_leaves_alone_say_nothing(monkeypatch):
    """Orbax's threads report to a loop that has ended, where no exception can be caught."""
    monkeypatch.setattr(sys, "__unraisablehook__", (said := []).append)
    found = [SimpleNamespace(exc_value=RuntimeError(text)) for text in ("Event loop is closed", "another")]
    for own in found:
        stopping._unraisable(own)
    assert said == found[1:]


def raising(error):
    def command(options):
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "/data/x"), 2, "error: /data/x: Permission denied"),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory", "/file/x"), 2, "error: /file/x: Not a directory"),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "error: No space left on device. Finished work is kept"),
        (
            OSError(errno.EFBIG, "File too large", "x"),
            1,
            "error: x: File too large. Finished work is kept",
        ),  # ulimit -f
        (KeyboardInterrupt(), 130, "interrupted. Finished"),
        (Terminated(), 143, "terminated. Finished"),
    ],
)
def test_what_the_file_system_refuses_is_one_line(capsys, monkeypatch, error, code, says):
    monkeypatch.setattr(run, "run", raising(error))
    assert main.main(["run"]) == code
    err = capsys.readouterr().err.strip("\n")
    assert err.startswith(says) and "\n" not in err


def test_a_command_that_begins_anew_has_nothing_to_continue(capsys, monkeypatch):
    monkeypatch.setattr(plan, "run", raising(KeyboardInterrupt()))
    assert main.main(["plan"]) == 130
    assert capsys.readouterr().err == "\ninterrupted\n"


def test_other_errors_are_raised(monkeypatch):
    monkeypatch.setattr(run, "run", raising(FileNotFoundError(errno.ENOENT, "missing", "x")))
    with pytest.raises(FileNotFoundError):
        main.main(["run"])
