"""Names of topologies, and what is said of wrong ones; the programs that GPUs and TPUs would get."""

import importlib.util

import jax
import pytest
from jax.experimental.compilation_cache import compilation_cache

from itt_jax.accelerators import ACCELERATORS, topologies, topology
from itt_jax.accelerators.topologies import parsed
from itt_jax.errors import InputError
from itt_jax.main import main
from itt_jax.models import fused_attention
from itt_jax.models.hardware import Hardware, compiling_for, hardware
from itt_jax.train.memory import free_bytes
from itt_jax.train.precision import BFLOAT16, training_arithmetic
from itt_jax.train.sharding import stack_mesh

WRONG = {
    "v5x:2x4": "unknown --topology 'v5x:2x4'; did you mean 'v5e:2x4'",
    "": "unknown --topology ''",
    "v5e": "--topology v5e: expected a layout such as 'v5e:2x4'",
    "v5p:2x2": "--topology v5p:2x2: expected a layout such as 'v5p:2x2x1'",
    "v5e:0x4": "--topology v5e:0x4: expected a layout",
    "h100x9": "--topology h100x9: expected a layout such as 'h100x8'",
    "h100:2x4": "--topology h100:2x4: expected a layout such as 'h100x8'",
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_names_give_one_line(name, capsys):
    assert main(["plan", "--topology", name]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {WRONG[name]}") and error.count("\n") == 1


def test_an_absent_compiler_gives_one_line(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"--topology h100x8: .*pip install 'itt_jax\[compile-cuda\]'"):
        topology("h100x8")


def test_stack_needs_a_topology(capsys):
    assert main(["plan", "--stack", "2"]) == 2
    assert "--stack: needs --topology" in capsys.readouterr().err


def test_every_example_is_a_name():
    for own in ACCELERATORS:
        found, sizes = parsed(own.example)
        assert found is own and len(sizes) == max(2, own.sizes)


@pytest.mark.parametrize(
    ("name", "given", "usable"),
    [("v4:2x2x1", {"chip_config_name": "megacore"}, 32), ("v5e:2x4", {}, 16), ("h100", {}, 60)],
)
def test_devices_are_as_jax_uses_them(monkeypatch, name, given, usable):
    """A v4's cores run as one chip; of a GPU's 80 GiB a process takes three quarters."""
    asked = []

    class Description:
        devices = tuple(jax.devices()[:1])

    def described(*names, **fields):
        asked.append({key: value for key, value in fields.items() if key == "chip_config_name"})
        return Description

    monkeypatch.setattr(importlib.util, "find_spec", lambda package: True)
    monkeypatch.setattr(topologies, "_use_no_device", lambda: None)
    monkeypatch.setattr(topologies.jax_topologies, "get_topology_desc", described)
    assert topology(name).hardware.bytes == usable << 30 and asked == [given]


def test_what_depends_on_the_devices_asks_for_the_described_ones():
    """A GPU's kernel, dtype, memory and mesh on a machine without one, and its own again afterwards."""
    devices = tuple(jax.devices()[:1])
    ampere = Hardware("gpu", devices, capability=8, bytes=1 << 30)
    q = jax.ShapeDtypeStruct((2, 128, 2, 64), "bfloat16")
    before = hardware()
    with compiling_for(ampere):
        assert hardware() is ampere and hardware().described
        assert fused_attention.choose("auto", q, q, bias=False, dropped=False) == "cudnn"
        assert (training_arithmetic(), free_bytes(), stack_mesh(4)) == (BFLOAT16, 1 << 30, None)
    assert hardware() == before and not before.described
    assert fused_attention.choose("auto", q, q, bias=False, dropped=False) == "xla"


@pytest.fixture
def saved(tmp_path):
    """A function that counts the programs in JAX's cache, which is empty and takes every program."""
    own = {"jax_compilation_cache_dir": str(tmp_path), "jax_persistent_cache_min_compile_time_secs": 0}
    before = {name: getattr(jax.config, name) for name in own}
    for settings in (own, before):
        for name, value in settings.items():
            jax.config.update(name, value)
        compilation_cache.reset_cache()
        if settings is own:
            yield lambda: len(list(tmp_path.glob("*-cache")))


def test_programs_for_absent_devices_are_not_saved(saved):
    """JAX could not load them again. Those for devices of this machine are, before and afterwards."""

    def compile_product(factor):
        jax.jit(lambda x: x * factor).lower(jax.ShapeDtypeStruct((3,), "float32")).compile()

    compile_product(2)
    assert saved() == 1
    with compiling_for(Hardware("gpu", tuple(jax.devices()[:1]), capability=8, bytes=1 << 30)):
        compile_product(3)
    assert saved() == 1
    compile_product(4)
    assert saved() == 2
