"""Claims are held by one worker, and taken over when its process is gone or silent, whatever its host and clock."""

import dataclasses
import errno
import os
import pathlib
import subprocess
import sys
import threading
import time

import pytest

from itt_jax import files
from itt_jax.errors import InputError
from itt_jax.store import Store, claims
from itt_jax.store.claims import Claim, Claims
from itt_jax.store.slots import SlotFiles


@pytest.fixture
def own(tmp_path):
    return Claims(SlotFiles(tmp_path / "claims"))


def left(own, **fields):
    """Leave a claim of a process that runs (this one), with other fields, as if another worker held it."""
    claim = dataclasses.replace(Claim.own(), **fields)
    files.write_text(own.slots.folder / "stage", claim.written())
    return claim


def taken(own):
    with own.claim("stage") as ours:
        return ours


def test_a_claim_is_held_by_one_worker_and_freed(tmp_path):
    store = Store(tmp_path)
    with store.claim("stage") as ours:
        assert ours.held() and not taken(store.claims) and not taken(Claims(SlotFiles(tmp_path / "claims")))
    assert taken(store.claims) and os.listdir(tmp_path / "claims") == []


def test_a_folder_in_the_place_of_a_claim_is_named(own):
    (own.slots.folder / "stage").mkdir(parents=True)
    with pytest.raises(InputError, match=rf"^{own.slots.folder / 'stage'}: a folder, expected the file of a claim"):
        taken(own)


def test_of_many_workers_one_gets_it(own):
    got, ready = [], threading.Barrier(8)

    def work():
        ready.wait()
        with Claims(own.slots).claim("stage") as ours:
            got.append(ours is not None)
            ready.wait()

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(got) == [False] * 7 + [True] and os.listdir(own.slots.folder) == []


def test_the_claim_of_a_dead_process_is_taken_over_at_once(own):
    dead = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    left(own, pid=dead.pid, started=claims.started(dead.pid))
    assert not taken(own)
    dead.stdin.close()
    while claims.started(dead.pid) != -1:  # it has ended, and nobody has asked how
        time.sleep(0.01)
    assert taken(own)
    dead.wait()
    left(own, pid=dead.pid, started=claims.started(os.getpid()))
    assert taken(own)


def test_a_process_that_has_a_dead_one_s_number_does_not_keep_its_claim(own):
    left(own, started=Claim.own().started - 1)
    assert taken(own)


@pytest.mark.parametrize("fields", [{"machine": "another boot"}, {"machine": ""}, {"host": "b", "machine": "b"}])
def test_of_a_process_elsewhere_silence_decides(own, monkeypatch, fields):
    """A restarted container or host, another host: the number of the process says nothing, even if it is ours."""
    monkeypatch.setattr(claims, "STALE_SECONDS", 0.1)
    left(own, started=1, **fields)
    assert not taken(own)
    time.sleep(0.15)
    assert not taken(Claims(own.slots))  # whoever sees it first waits
    assert taken(own)


@pytest.mark.parametrize("clock", [0.0, 4e9])
def test_a_claim_that_beats_is_never_taken_over(own, monkeypatch, clock):
    monkeypatch.setattr(claims, "STALE_SECONDS", 0.05)
    claim = left(own, machine="b", since="1970-01-01")
    for beat in range(1, 5):
        assert not taken(own)
        time.sleep(0.06)
        files.write_text(own.slots.folder / "stage", dataclasses.replace(claim, beat=beat).written())
        os.utime(own.slots.folder / "stage", (clock, clock))
    assert not taken(own)


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"host 17", b"{", b"[]", b"{}", b'"x"', b"\xff\xfe", b"host 17 " * 1000, b"[" * 100_000),
        b'{"token": "x", "host": null, "pid": 1, "machine": "", "started": null, "since": ""}',
    ],
)
def test_a_claim_that_says_nothing_is_taken_over_once_it_has_not_changed_for_long(own, content, monkeypatch):
    files.write_bytes(own.slots.folder / "stage", content)
    assert own.holders(["stage"]) == []
    assert not taken(own) and not taken(own)
    monkeypatch.setattr(claims, "STALE_SECONDS", 0)
    assert taken(own)


def test_a_claim_that_cannot_be_read_now_is_neither_stale_nor_lost(own, monkeypatch):
    read = pathlib.Path.read_bytes

    def stale_handle(path):
        raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setattr(claims, "BEAT_SECONDS", 0.01)
    monkeypatch.setattr(claims, "STALE_SECONDS", 0)
    with own.claim("stage") as hold:
        monkeypatch.setattr(pathlib.Path, "read_bytes", stale_handle)
        assert hold.held() and not taken(Claims(own.slots)) and own.holders(["stage"]) == []
        before = Claim.read(read(own.slots.folder / "stage")).beat
        while Claim.read(read(own.slots.folder / "stage")).beat < before + 3:  # the heart goes on
            time.sleep(0.01)
        monkeypatch.setattr(pathlib.Path, "read_bytes", read)
    assert os.listdir(own.slots.folder) == []


def test_a_worker_knows_that_its_claim_is_lost_for_good(own):
    with own.claim("stage") as hold, own.claim("other"):
        assert hold.held() and not own.is_lost("stage")
        mine = (own.slots.folder / "stage").read_bytes()
        left(own, host="b")
        assert not hold.held() and own.is_lost("stage") and not own.is_lost("other")
        (own.slots.folder / "stage").write_bytes(mine)
        assert not hold.held()
    assert not own.is_lost("stage")  # no longer ours to lose


def test_a_heartbeat_asks_once_more_before_it_replaces_the_claim(own, monkeypatch):
    with own.claim("stage") as hold:
        sync = os.fsync
        monkeypatch.setattr(os, "fsync", lambda file: (left_once(), sync(file)))
        other = []

        def left_once():
            if not other:
                other.append(None)
                other.append(left(own, host="b"))

        own.slots.beat("stage", dataclasses.replace(hold.own, beat=1).written(), hold.held)
        assert Claim.read((own.slots.folder / "stage").read_bytes()) == other[1]


def test_another_user_s_process_is_alive(own, monkeypatch):
    def refused(pid, number):
        raise PermissionError

    monkeypatch.setattr(os, "kill", refused)
    left(own)
    assert not taken(own)
    monkeypatch.setattr(claims, "started", lambda pid: None)  # where /proc hides the processes of others
    left(own, started=7)
    assert not taken(own)


def test_a_held_claim_beats_and_one_that_was_taken_over_is_left_alone(own, monkeypatch):
    monkeypatch.setattr(claims, "BEAT_SECONDS", 0.01)
    path = own.slots.folder / "stage"
    with own.claim("stage"):
        first = Claim.read(path.read_bytes())
        while (now := Claim.read(path.read_bytes())).beat < 3:
            time.sleep(0.01)
        assert dataclasses.replace(now, beat=0) == dataclasses.replace(first, beat=0)
        other = None
        while Claim.read(path.read_bytes()) != other:  # a heartbeat that had begun may follow
            other = left(own, host="b")
            time.sleep(0.05)
    assert Claim.read(path.read_bytes()) == other


def test_who_waits_knows_for_whom_and_since_when(own):
    claim = left(own, host="b", pid=17, since="2026-01-02 03:04:05+00:00")
    files.write_text(
        own.slots.folder / "other", dataclasses.replace(claim, since="2026-01-02 03:00:00+00:00").written()
    )
    assert own.holders(["stage", "other", "none"]) == [
        "b, process 17, on 2 of them since 2026-01-02 03:00:00+00:00 by its clock"
    ]


def test_a_heartbeat_survives_a_full_disk(own, monkeypatch):
    def full(path):
        raise OSError(28, "No space left on device")

    with own.claim("stage") as hold:
        monkeypatch.setattr(claims, "BEAT_SECONDS", 0.01)
        monkeypatch.setattr(files, "new_file", full)
        ended = threading.Event()
        beating = threading.Thread(target=hold.beat, args=(ended,))
        beating.start()
        time.sleep(0.05)
        assert beating.is_alive()
        ended.set()
        beating.join()
