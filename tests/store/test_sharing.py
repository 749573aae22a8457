"""Results folders in step with a shared folder: nothing is lost or made twice, and what is damaged is noticed."""

import errno
import os
import random

import pytest

from itt_jax import files
from itt_jax.errors import InputError, SharingError
from itt_jax.store import Store, shared_folders, sharing
from itt_jax.store.shared_folders import Bucket
from itt_jax.store.sharing import Sharing, check_shared
from tests.shared import Memory, Turns


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(sharing, "WAITS", (0, 0))


@pytest.fixture
def worker(tmp_path):
    """Makes workers: stores with folders of their own on one shared folder."""
    return lambda name, shared: Store(tmp_path / name, Sharing(tmp_path / name, shared))


def checkpoint(store: Store, stage: str, content: bytes) -> None:
    with files.new_folder(store.checkpoint(stage)) as folder:
        (folder / "params").mkdir()
        (folder / "params" / "weights").write_bytes(content)
        files.write_manifest(folder)


def weights(store: Store, stage: str) -> bytes | None:
    path = store.checkpoint(stage) / "params" / "weights"
    return path.read_bytes() if path.is_file() else None


def cell(store: Store, name: str, value: int, stage: str = "s") -> None:
    store.cells.write([({"cell": name, "stage": stage}, {"item_id": [value]})])


def attack(store: Store, name: str, text: str) -> None:
    store.attack(name).begin({"attack_id": name, "stage": "s", "precision": "float32"})
    store.attack(name).write_part("en", 0, [{"text": text}])


def transfer(store: Store, name: str, score: float) -> None:
    row = {"stage": "s", "made_on_stage": "r", "score": score, "transferred": None}
    store.write_transfer(name, [row])


def test_what_one_worker_makes_the_others_find(worker):
    memory = Memory()
    one, two = worker("one", memory), worker("two", memory)
    checkpoint(one, "s", b"weights")
    one.write_record("s", {"id": "s"})
    one.write_record("r", {"id": "r"})
    cell(one, "c", 1)
    transfer(one, "t", 1.0)
    attack(one, "a", "x")
    assert one.agreed.create_look("hash", 2, {"seeds": 2, "stop": True})
    one.log("event")
    files.write_text(one.out / "cells" / ".left.parquet", "by a killed process")
    one.sync()
    two.sync()
    assert two.record("s") == {"id": "s"} and two.has_cell("c") and two.transfer_ids() == {"t"}
    assert two.attack("a").part("en", 0) == [{"text": "x"}] and two.agreed.looks("hash") == one.agreed.looks("hash")
    assert not (two.out / "log.jsonl").exists() and not any("left" in name for name in memory.files)
    assert not two.has_checkpoint("s")  # until it is needed
    two.fetch_checkpoint("s")
    assert weights(two, "s") == b"weights"
    written = memory.operations
    for store in (one, two):
        store.sync()
    assert memory.operations == written + 2  # two listings


def test_a_file_named_once_is_that_of_the_first_worker(worker):
    memory = Memory()
    one, two = worker("one", memory), worker("two", memory)
    assert one.agreed.precision("m", lambda: "bfloat16") == "bfloat16" == two.agreed.precision("m", lambda: "float32")
    declared = {"hash": "h", "time": 1, "changes": []}
    assert one.agreed.declare(declared) == declared == two.agreed.declare(declared | {"time": 2})
    one.agreed.create_look("h", 2, {"seeds": 2, "stop": False})
    two.agreed.create_look("h", 2, {"seeds": 2, "stop": True})
    assert two.agreed.look("h", 2)["stop"] is False
    alone = Store(one.out.parent / "alone")
    alone.agreed.precision("m", lambda: "float32")
    with pytest.raises(InputError, match=r"precision/m is 'bfloat16' there and 'float32' in .*alone"):
        worker("alone", memory).pull()


@pytest.mark.parametrize("seed", range(12))
def test_a_stage_is_made_once_in_whatever_order_two_workers_look(worker, monkeypatch, seed):
    monkeypatch.setattr(shared_folders, "TOGETHER", 1)
    memory, made = Memory(late=10**6), []
    turns = Turns(random.Random(seed).choice)
    stores = [worker(str(number), turns.folder(memory, number)) for number in range(2)]

    def work(store):
        while not store.is_done("s"):
            with store.claim("s") as ours:
                if ours and not store.is_done("s"):
                    made.append(store)
                    store.write_record("s", {"id": "s"})
                    cell(store, "c", 1)

    turns.run([lambda store=store: work(store) for store in stores])
    assert len(made) == 1 and all(store.has_cell("c") and store.record("s") for store in stores)


@pytest.mark.parametrize("cut", ["stages/s/record.json", "cells/", "stages/s/VERSION/params/weights", "MANIFEST"])
def test_a_download_that_is_cut_off_is_repeated(worker, cut):
    memory = Memory()
    one, two = worker("one", memory), worker("two", memory)
    checkpoint(one, "s", b"weights" * 100)
    one.write_record("s", {"id": "s"})
    cell(one, "c", 1)
    one.sync()
    (version,) = {name.split("/")[2] for name in memory.files if name.endswith("manifest.json")}
    cut = cut.replace("VERSION", version).replace("MANIFEST", f"stages/s/{version}/manifest.json")
    read, times = memory.read, []

    def cut_off(name):
        found = read(name)
        if not name.startswith(cut) and f"/{cut}" not in name:
            return found
        times.append(name)
        return found[:-10] if len(times) == 1 else found

    memory.read = cut_off
    two.pull()
    two.fetch_checkpoint("s")
    assert two.record("s") and two.has_cell("c") and weights(two, "s") == b"weights" * 100
    assert len(times) >= 2 and sorted(os.listdir(two.stage("s"))) == ["checkpoint", "record.json"]


def test_a_file_that_stays_damaged_is_named_and_not_kept(worker):
    memory = Memory()
    one = worker("one", memory)
    checkpoint(one, "s", b"weights")
    one.write_record("s", {"id": "s"})
    one.sync()
    (name,) = [name for name in memory.files if name.endswith("weights")]
    whole = memory.files[name]
    memory.files[name] = b"weight!"
    with pytest.raises(SharingError, match=r"memory/stages/s/(\w+): damaged: .*; remove stages/s/\1, and the stage is"):
        worker("two", memory).fetch_checkpoint("s")
    assert not worker("two", memory).has_checkpoint("s")
    memory.files[name] = whole
    memory.files["stages/s/record.json"] += b"x"
    with pytest.raises(SharingError, match=r"memory/stages/s/record\.json: damaged"):
        worker("two", memory).pull()
    assert not worker("two", memory).is_done("s")


def test_no_more_of_a_manifest_is_read_than_it_may_have(worker, monkeypatch, tmp_path):
    shared = shared_folders.shared_folder(str(tmp_path / "shared"))
    one, two = worker("one", shared), worker("two", shared)
    checkpoint(one, "s", b"weights")
    one.write_record("s", {"id": "s"})
    one.sync()
    (path,) = shared.path.rglob(files.MANIFEST)
    monkeypatch.setattr(files, "MOST_MANIFEST_BYTES", path.stat().st_size)
    two.fetch_checkpoint("s")
    assert weights(two, "s") == b"weights"
    os.truncate(path, 1 << 30)  # a gigabyte, which takes no room
    with pytest.raises(
        SharingError, match=r"stages/s/\w+: damaged: manifest\.json: found more than the \d+ bytes that"
    ):
        worker("three", shared).fetch_checkpoint("s")


class Killed(BaseException):
    pass


@pytest.mark.parametrize("at", ["params/weights", "manifest.json", "record.json"])
def test_a_worker_killed_while_it_sends_leaves_nothing_that_counts_by_half(worker, at):
    """Nothing after the file `at` arrives; another worker makes the stage, and the first one takes that over."""
    memory = Memory()
    one, two = worker("one", memory), worker("two", memory)
    create, write = memory.create, memory.write

    def killed(operation):
        def call(name, content):
            if at in name:
                raise Killed
            return operation(name, content)

        return call

    checkpoint(one, "s", b"first")
    one_alone = Store(one.out)
    one_alone.write_record("s", {"id": "s", "device": "first"})
    one_alone.write_record("r", {"id": "r"})
    cell(one, "c", 1)
    cell(one, "d", 1)
    attack(one, "a", "first")
    transfer(one, "t", 1.0)
    memory.create, memory.write = killed(create), killed(write)
    with pytest.raises(Killed):
        one.sync()
    memory.create, memory.write = create, write

    two.sync()
    assert not two.is_done("s") and not two.cells.ids()
    two.fetch_checkpoint("s")
    assert not two.has_checkpoint("s")
    checkpoint(two, "s", b"second")
    two.write_record("s", {"id": "s", "device": "second"})
    cell(two, "c", 2)
    attack(two, "a", "second")
    two.sync()
    again = worker("one", memory)
    again.sync()
    assert again.record("s")["device"] == "second" and weights(again, "s") == b"second"
    assert again.cells.ids() == two.cells.ids() == {"c"} and list(again.read_cell("c")["item_id"]) == [2]
    assert again.attack("a").part("en", 0) == [{"text": "second"}] and not again.transfer_ids()
    assert len(list(again.out.glob("damaged/*/cells/*.parquet"))) == 2


def test_predictions_of_two_trainings_are_never_in_one_folder(worker):
    """One is suspended while it evaluates; two takes the stage over, whose record is then another."""
    memory = Memory()
    one, two, three = (worker(name, memory) for name in ("one", "two", "three"))
    for store, device in ((one, "first"), (two, "second")):
        Store(store.out).write_record("s", {"id": "s", "device": device})
        Store(store.out).write_record("r", {"id": "r"})
    two.sync()
    cell(one, "c", 1)
    cell(two, "d", 2)
    attack(one, "a", "first")
    transfer(one, "t", 1.0)
    transfer(two, "t", 2.0)
    one.sharing.sent.clear()
    one.sharing._agreed["stages/s/record.json"] = "as if it had been sent"
    one.sharing.push()  # of a claim that is lost
    two.sync()
    three.sync()
    for store in (two, three):
        assert store.cells.ids() == {"d"} and not store.attack("a").is_begun
        assert list(store.transfers(["t"])["score"]) == [2.0]
    one = worker("one", memory)
    one.sync()
    assert one.record("s")["device"] == "second" and one.cells.ids() == {"d"}
    assert list(one.transfers(["t"])["score"]) == [2.0]


def test_a_record_that_is_replaced_takes_its_predictions_along(worker):
    memory = Memory()
    one, two = worker("one", memory), worker("two", memory)
    one.write_record("s", {"id": "s", "seconds": 1})
    one.write_record("other", {"id": "other"})
    cell(one, "c", 1)
    cell(one, "o", 1, "other")
    one.sync()
    two.sync()
    with one.claim("s"):
        one.write_record("s", {"id": "s", "seconds": 2})
        assert one.cells.ids() == {"o"}
        cell(one, "c", 2)
    assert list(two.read_cell("c")["item_id"]) == [1]
    with two.claim("s"):
        assert two.record("s")["seconds"] == 2 and list(two.read_cell("c")["item_id"]) == [2]
    assert two.cells.ids() == {"c", "o"}


@pytest.mark.parametrize("stop", [KeyboardInterrupt, ValueError])
def test_what_is_done_is_sent_before_an_interrupted_worker_frees_its_claim(worker, monkeypatch, stop):
    monkeypatch.setattr(sharing, "WAITS", (1000,))
    memory = Memory(late=10**6)
    one, two = worker("one", memory), worker("two", memory)
    with pytest.raises(stop), one.claim("s"):
        checkpoint(one, "s", b"weights")
        one.write_record("s", {"id": "s"})
        assert "stages/s/record.json" in memory.files  # a machine may be lost from here on
        cell(one, "c", 1)
        raise stop
    with two.claim("s") as ours:
        two.fetch_checkpoint("s")
        assert ours and two.has_cell("c") and weights(two, "s") == b"weights"
    with pytest.raises(stop), one.claim("s"):
        cell(one, "d", 1)
        memory.failing = 1  # asked once
        raise stop


def test_who_takes_a_stage_over_asks_for_its_record_and_needs_no_listing(worker):
    memory = Memory(late=10**6)
    one, two = worker("one", memory), worker("two", memory)
    one.write_record("s", {"id": "s"})
    with two.claim("s"):
        assert two.is_done("s")


def test_a_stage_made_again_because_nobody_has_its_checkpoint_replaces_the_record(worker):
    memory = Memory()
    one, two, three = (worker(name, memory) for name in ("one", "two", "three"))
    one.write_record("s", {"id": "s", "device": "first"})
    for store in (one, two, three):
        store.sync()
    with two.claim("s"):
        checkpoint(two, "s", b"again")
        two.write_record("s", {"id": "s", "device": "again"})
    with three.claim("s"):
        three.fetch_checkpoint("s")
        assert three.record("s")["device"] == "again" and weights(three, "s") == b"again"


def test_a_damaged_block_is_not_sent_and_comes_back_from_others(worker):
    memory = Memory()
    one, two = worker("one", memory), worker("two", memory)
    for store in (one, two):
        Store(store.out).write_record("s", {"id": "s"})
    cell(one, "c", 1)
    (path,) = (one.out / "cells").glob("*.parquet")
    content = path.read_bytes()
    path.write_bytes(content[:-1] + b"x")
    one.sync()
    assert not any("cells/" in name for name in memory.files)
    cell(two, "c", 1)
    two.sync()
    again = worker("one", memory)
    again.check()
    assert len(again.set_aside()) == 1
    again.sync()
    assert path.read_bytes() == content and again.has_cell("c")


def test_a_damaged_checkpoint_is_not_sent(worker):
    memory = Memory()
    one, two = worker("one", memory), worker("two", memory)
    checkpoint(one, "s", b"weights")
    (one.checkpoint("s") / "params" / "weights").write_bytes(b"weight!")
    one.write_record("s", {"id": "s"})
    two.sync()
    two.fetch_checkpoint("s")
    assert list(memory.files) == ["stages/s/record.json"] and two.is_done("s") and not two.has_checkpoint("s")


def test_a_folder_out_of_reach_is_tried_again_and_then_ends_the_work(worker):
    memory = Memory()
    store = worker("one", memory)
    store.write_record("s", {"id": "s"})
    memory.failing = 2
    store.sync()
    assert "stages/s/record.json" in memory.files
    memory.failing = 3
    with pytest.raises(SharingError, match="out of reach"):
        store.sync()
    assert store.record("s")


@pytest.mark.parametrize(
    "error, lasts",
    [
        (PermissionError(errno.EACCES, "denied"), True),
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (TypeError("an argument"), True),
        (OSError(errno.EIO, "Input/output error"), False),
        (ConnectionError("reset"), False),
    ],
)
def test_what_waiting_does_not_mend_is_not_tried_again(monkeypatch, worker, tmp_path, error, lasts):
    bucket, calls, lines = Bucket(f"memory://{tmp_path}"), [], []

    def fails(*arguments, **options):
        calls.append(arguments)
        raise error

    monkeypatch.setattr(bucket._system, "pipe_file", fails)
    store = worker("one", bucket)
    store.sharing.say = lines.append
    with pytest.raises(SharingError, match=str(error.args[-1])):
        store.write_record("s", {"id": "s"})
    assert len(calls) == (1 if lasts else 3) and len(lines) == (0 if lasts else 1)
    assert all(line.startswith("warning: --share memory://") and "trying again" in line for line in lines)


def test_names_that_leave_the_folder_are_no_files_of_it(worker, tmp_path):
    memory = Memory()
    for name in (
        "cells/../../evil.parquet",
        "../cells/x.parquet",
        "looks/../x.json",
        "cells/.x.parquet",
        "x/cells/y.parquet",
    ):
        memory.write(name, sharing._framed(b"x"))
    store = worker("one", memory)
    store.pull()
    store.sharing.pull_names([*memory.files, "/etc/passwd"])
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [sharing.NOTE]


def test_a_folder_with_files_of_a_shared_one_and_no_plan_can_be_begun(worker):
    store = worker("one", Memory())
    store.pull()
    cell(store, "c", 1)
    assert store.existing_plan() is None


def test_a_results_folder_stays_with_its_shared_folder(worker, tmp_path):
    store = worker("one", Memory())
    check_shared(store.out, "memory")
    check_shared(store.out, None)
    store.pull()
    check_shared(store.out, "memory")
    for url in ("other", None):
        with pytest.raises(InputError, match=r"shared_folder\.txt: found 'memory'"):
            check_shared(store.out, url)
