"""What killed workers have left is removed once nobody can be writing it; everything else stays."""

import dataclasses
import os
import socket
import time

from itt_jax import files
from itt_jax.store import Store
from itt_jax.store.claims import Claim
from itt_jax.store.clearing import ELSEWHERE_SECONDS, SILENT_SECONDS

HERE = socket.gethostname()
DEAD = 4_000_000  # a process number beyond the kernel's


def test_temporaries_of_processes_that_have_ended_are_removed(tmp_path):
    ages = {
        f"cells/.a.parquet.{HERE}.{DEAD}.0123abcd": SILENT_SECONDS + 9,
        f"stages/s/.checkpoint.{HERE}.{DEAD}.0123abcd/params/x": SILENT_SECONDS + 9,
        f".plan.json.elsewhere.{DEAD}.0123abcd": ELSEWHERE_SECONDS + 9,
        f".plan.json.{HERE}.{os.getpid()}.0123abcd": ELSEWHERE_SECONDS + 9,
        f"cells/.b.parquet.{HERE}.{DEAD}.0123abcd": SILENT_SECONDS - 9,
        f".results.parquet.elsewhere.{DEAD}.0123abcd": ELSEWHERE_SECONDS - 60,
        f"cells/.c.parquet.not-{HERE}.{DEAD}.0123abcd": SILENT_SECONDS + 9,
        f"stages/s/checkpoint/.a.{HERE}.{DEAD}.0123abcd": ELSEWHERE_SECONDS + 9,
        ".nfs0123abcd": ELSEWHERE_SECONDS + 9,
        "notes.txt": ELSEWHERE_SECONDS + 9,
    }
    for name, age in ages.items():
        files.write_text(tmp_path / name, "x")
        for path in (tmp_path / name, *(tmp_path / name).parents):
            if path == tmp_path / name or "/." in path.as_posix():
                os.utime(path, (time.time() - age,) * 2)
    partial = files.temporary(tmp_path / "plan.json")
    partial.write_text("being written now")
    Store(tmp_path).clear()
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {partial.name, *list(ages)[3:]}
    assert (tmp_path / "stages" / "s").is_dir() and not list((tmp_path / "stages" / "s").glob(".*"))


def test_claims_of_processes_that_have_ended_are_freed(tmp_path):
    store, own = Store(tmp_path), Claim.own()
    for name, claim in {
        "ended": dataclasses.replace(own, pid=DEAD),
        "running": own,
        "elsewhere": dataclasses.replace(own, pid=DEAD, machine="another", host="b"),
    }.items():
        files.write_text(tmp_path / "claims" / name, claim.written())
    store.clear()
    assert sorted(store.claims.held()) == ["elsewhere", "running"]
