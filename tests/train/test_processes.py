"""Two and four real processes train and predict as one does, and each builds only the rows of its device."""

import pathlib
import socket
import subprocess
import sys

import numpy as np
import pytest

from tests.train.process_run import found_by

ROOT = pathlib.Path(__file__).parents[2]
pytestmark = pytest.mark.slow
# Three steps from equal parameters, float32 sums in another order (differences were at most 8e-8). Counts are equal.
ROUNDING = {"losses": 1e-6, "scores": 1e-6, "params": 1e-6}


def in_processes(folder: pathlib.Path, count: int, stack: int) -> list[dict[str, np.ndarray]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    started = []
    try:
        for index in range(count):
            command = [sys.executable, "-m", "tests.train.process_run"]
            command += [str(folder), address, str(count), str(index), str(stack)]
            with (folder / f"{index}.log").open("w") as log:
                started.append(subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log))
        for index, process in enumerate(started):
            assert process.wait(timeout=240) == 0, (folder / f"{index}.log").read_text()[-3000:]
    finally:
        for process in started:
            process.kill()
            process.wait()
    return [dict(np.load(folder / f"{index}.npz")) for index in range(count)]


@pytest.mark.parametrize(("count", "stack"), [(2, 1), (4, 2)])
@pytest.mark.volume
def test_processes_together_are_one_process(tmp_path, count, stack):
    expected, found = found_by(stack, None), in_processes(tmp_path, count, stack)
    for own in found:
        for name, array in expected.items():
            kind = name.split("/")[0]
            np.testing.assert_array_equal(own[name], found[0][name])
            np.testing.assert_allclose(own[name], array, atol=ROUNDING.get(kind, 0), rtol=0, err_msg=name)
    shards = count // stack
    for index, own in enumerate(found):
        at = index % shards
        whole = own["wholes"][0]
        assert (own["wholes"] == whole).all() and whole % shards == 0
        run = index // shards
        assert (own["runs"] == [stack, run, run + 1]).all()
        assert (own["rows"] == [at * whole // shards, (at + 1) * whole // shards]).all()
        assert len(own["rows"]) == len(own["wholes"])  # one run's per step, in any stack
        streamed = own["streamed"][:, 0]  # of one model at a time, over all devices
        assert len(streamed) >= 1 and (streamed % count == 0).all()
        assert (own["streamed"][:, 1:] == np.outer(streamed // count, [index, index + 1])).all()
        assert own["least"] == (1 << 40) + 8 - count
        assert own["saved"].tolist() == ([2] if stack == 1 else [])
