"""Free and needed memory are found."""

import subprocess
import sys
import types

import jax
import jax.numpy as jnp
import pytest

from itt_jax.train import memory

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
