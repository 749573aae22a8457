"""Free and needed memory are found."""

import math
import subprocess
import sys
import types
import weakref
from concurrent.futures import Future

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from itt_jax.train import compiling, loop, memory, stage
from itt_jax.train.clock import Clock
from itt_jax.train.compiling import Request, program

GIB = 1 << 30


def test_free_memory_of_this_machine():
    assert 1 << 20 < memory.device_bytes(jax.devices()[0]) < 1 << 50


@pytest.mark.parametrize(
    ("stats", "free"), [({"bytes_limit": 80, "bytes_in_use": 30}, 50), ({"bytes_in_use": 3}, None), (None, None)]
)
def test_free_memory_of_an_accelerator(stats, free):
    assert memory.device_bytes(types.SimpleNamespace(platform="gpu", memory_stats=lambda: stats)) == free


def write(root, files):
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


V2 = {
    "proc/self/cgroup": "0::/user/job\n",
    "sys/fs/cgroup/user/job/memory.max": "max\n",
    "sys/fs/cgroup/user/job/memory.current": "1\n",
    "sys/fs/cgroup/user/memory.max": f"{8 * GIB}\n",
    "sys/fs/cgroup/user/memory.current": f"{6 * GIB}\n",
    "sys/fs/cgroup/user/memory.stat": f"anon 5\ninactive_file {GIB}\n",
}
# In a container, the group's path is that of the host, and the limit is at the mount point.
V1 = {
    "proc/self/cgroup": "4:cpu,cpuacct:/x\n3:memory:/docker/abc\n0::/\n",
    "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{4 * GIB}\n",
    "sys/fs/cgroup/memory/memory.usage_in_bytes": f"{2 * GIB}\n",
    "sys/fs/cgroup/memory/memory.stat": f"inactive_file 7\ntotal_inactive_file {GIB}\n",
}
NO_LIMIT = V1 | {"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}


@pytest.mark.parametrize(("groups", "free"), [({}, 16), (V2, 3), (V1, 3), (NO_LIMIT, 16)])
def test_control_groups_limit_the_hosts_memory(tmp_path, groups, free):
    write(tmp_path, {"proc/meminfo": f"MemTotal: 99 kB\nMemAvailable: {16 * GIB // 1024} kB\n"} | groups)
    assert memory._host_bytes(tmp_path) == free * GIB


def test_a_host_without_information(tmp_path):
    assert memory._host_bytes(tmp_path) is None


FAULTS = """
import resource, jax, jax.numpy as jnp
from itt_jax.train.memory import keep_freed_memory
keep_freed_memory()
x = jnp.ones((4096, 4096))
step = jax.jit(lambda x: (jnp.sin(x) @ x[:, :8]).sum())  # the product reads a temporary of 64 MiB
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(128):
    step(x).block_until_ready()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.slow
def test_steps_reuse_freed_memory():
    done = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    # Left alone, malloc faults in the whole buffer in each of the 128 steps. Several threads free it, so a few
    # steps may still take fresh memory, more of them on a busy machine.
    assert int(done.stdout) < 128 * (64 * 2**20 // 4096) / 10


def test_needed_bytes_counts_donated_memory_once():
    size = jax.ShapeDtypeStruct((256, 256), jnp.float32)
    kept, donated = (
        jax.jit(lambda a, b: jnp.sin(a @ b) @ b, donate_argnums=given).lower(size, size).compile()
        for given in ((), (0,))
    )
    assert memory.needed_bytes(kept) - memory.needed_bytes(donated) == 256 * 256 * 4
    assert memory.needed_bytes(kept) >= 4 * 256 * 256 * 4  # at least two arguments, one result and one temporary


def test_out_of_memory_is_recognised():
    with pytest.raises(Exception, match="memory") as error:
        jnp.zeros(1 << 44)
    assert memory.is_out_of_memory(error.value) and memory.is_out_of_memory(MemoryError())
    assert not memory.is_out_of_memory(ValueError("RESOURCE_EXHAUSTED"))
    assert not memory.is_out_of_memory(jax.errors.JaxRuntimeError("INVALID_ARGUMENT: no"))


@pytest.mark.parametrize(
    ("jobs", "devices", "fit", "size"),
    [
        (3, 8, 1, 2),
        (5, 8, 1, 4),
        (7, 8, 1, 4),
        (7, 8, 3, 6),
        (20, 8, 2, 16),
        (12, 8, 3, 12),
        (5, 1, 3, 3),
        (1, 8, 1, 1),
    ],
)
def test_no_device_holds_more_runs_than_fit(jobs, devices, fit, size):
    assert stage.largest_stack(jobs, devices, fit) == size


NO_ROOM = jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: XLA:TPU compile permanent error. Ran out of memory")
OTHER = jax.errors.JaxRuntimeError("INTERNAL: no")


def failed(error):
    future = Future()
    future.set_exception(error)
    return future


def test_a_step_that_does_not_fit_when_it_is_compiled_is_halved():
    stack = loop.Stack.__new__(loop.Stack)
    stack.clock, stack.halvings, stack.progress = Clock(), 0, None
    given = types.SimpleNamespace(program=failed(NO_ROOM), halvings=2)  # so often already, to fit on a TPU's chip
    assert not stack._step(given) and stack.halvings == 3
    with pytest.raises(jax.errors.JaxRuntimeError, match="INTERNAL"):
        stack._step(types.SimpleNamespace(program=failed(OTHER)))


def test_a_program_that_its_compiler_refuses_takes_all_memory_of_a_device(monkeypatch):
    monkeypatch.setattr(stage, "program", lambda request: failed(NO_ROOM))
    assert stage.compiled_bytes(None) == math.inf
    monkeypatch.setattr(stage, "program", lambda request: failed(OTHER))
    with pytest.raises(jax.errors.JaxRuntimeError, match="INTERNAL"):
        stage.compiled_bytes(None)


def doubled(x):
    return 2 * x


def test_a_program_that_failed_is_compiled_again(monkeypatch):
    request, compiled = Request(doubled, (np.ones(3, np.float32),), {}), compiling._compiled

    def refused(request):
        raise NO_ROOM

    monkeypatch.setattr(compiling, "_compiled", refused)
    with pytest.raises(jax.errors.JaxRuntimeError, match="RESOURCE_EXHAUSTED"):
        program(request).result()
    monkeypatch.setattr(compiling, "_compiled", compiled)
    again = program(request)
    assert again.result().run(np.ones(3, np.float32)).tolist() == [2, 2, 2] and program(request) is again


def test_runs_with_dev_rows_of_their_own_are_evaluated_one_at_a_time(monkeypatch):
    """Each run is whole on every device, so the second is taken out of the stack after the first is done."""
    done = []

    class Leaf:
        def __getitem__(self, index):
            done.append(("taken", index.start, index.stop))
            return index.start

    def predicted(encoder, head, params, examples):
        done.append(("predicted", params["encoder"], examples))
        return [params["head"] + 0.5]

    monkeypatch.setattr(stage, "predict_stack", predicted)
    jobs = [
        types.SimpleNamespace(
            dev_index=0, dev_task=types.SimpleNamespace(head=None, examples=name), dev_value=lambda own: own
        )
        for name in ("first", "second")
    ]
    evaluate = stage._dev_evaluation(None, jobs)
    assert evaluate({"encoder": Leaf(), "heads": (Leaf(),)}) == [0.5, 1.5]
    taken = [[("taken", at, at + 1)] * 2 for at in range(2)]
    assert done == [*taken[0], ("predicted", 0, "first"), *taken[1], ("predicted", 1, "second")]


def test_a_resumed_stack_takes_the_room_of_the_fresh_one(monkeypatch):
    """The first run continues at step 4, the second is new; the fresh state is gone before another is placed."""
    fresh = {"w": jnp.array([[1.0, 2.0], [3.0, 4.0]]), "step": jnp.zeros(2, jnp.int32)}
    stack = loop.Stack.__new__(loop.Stack)
    saved = {"state": {"w": np.array([7.0, 8.0], np.float32), "step": np.int32(4)}}
    resume = types.SimpleNamespace(record=lambda: (4, {}), tree=lambda step, like: saved)
    stack.runs = [types.SimpleNamespace(resume=resume), types.SimpleNamespace(resume=None)]
    stack.starts, stack.records, stack.best = [0, 0], [loop.Record(), loop.Record()], [None, None]
    stack.state, stack.mesh, stack.halvings = fresh, None, 0
    left, place, gone = weakref.ref(fresh["w"]), loop.place, []
    del fresh
    monkeypatch.setattr(loop, "place", lambda *given: gone.append(left() is None) or place(*given))
    stack._resume()
    assert gone == [True, True] and stack.starts == [4, 0]
    assert stack.state["w"].tolist() == [[7, 8], [3, 4]] and stack.state["step"].tolist() == [4, 0]
    assert stack.state["step"].dtype == jnp.int32 and not stack.state["w"].committed


@pytest.mark.parametrize(("free", "together"), [(None, 6), (12_000, 6), (7_000, 3), (100, 1)])
def test_as_many_models_are_predicted_together_as_fit_half_of_the_memory(monkeypatch, free, together):
    monkeypatch.setattr(stage, "free_bytes", lambda: free)
    models = [{"encoder": np.zeros(200, np.float32), "head": np.zeros(50, np.float32)}] * 6
    assert stage.predicted_together(models) == together
