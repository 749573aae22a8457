"""Cycles of kernels: lines of a schedule times steps of the grid."""

import importlib.util
import os

import jax
import jax.numpy as jnp
import pytest

from itt_jax.accelerators import schedules, topology
from itt_jax.accelerators.costs import costs, unscheduled
from itt_jax.accelerators.hlo import Hlo
from itt_jax.accelerators.report import read
from itt_jax.models import fused_attention
from itt_jax.models.hardware import compiling_for

KERNEL = (
    "(bf16[4,256,128]{2,1,0}, bf16[4,256,128]{2,1,0}) custom-call(%q), "
    'custom_call_target="tpu_custom_call", frontend_attributes={kernel_metadata={\n"elements_of_a_step":"32768",'
    '"steps_in_turn":"2"\n}}, '
    'metadata={op_name="jit(f)/own/pallas_call"}, backend_config={"custom_call_config":{"body":"BODY"}}'
)
PROGRAM = f"""ENTRY %main (q: bf16[4,256,128]) -> bf16[4,256,128] {{
  %q = bf16[4,256,128]{{2,1,0}} parameter(0)
  %own.1 = {KERNEL.replace("BODY", "TUzv")}
  %own.2 = {KERNEL.replace("BODY", "TUzv")}
  %own.3 = {KERNEL.replace("BODY", "other")}
  %silent = bf16[4,256,128]{{2,1,0}} custom-call(%q), custom_call_target="tpu_custom_call", \
metadata={{op_name="jit(f)/splash/pallas_call"}}
  ROOT %out = bf16[4,256,128]{{2,1,0}} get-tuple-element(%own.1), index=0
}}
"""
SCHEDULE = "== CAPACTIY:\nMXU, XLU\n    4     3\n== UTILIZATION:\n0 0\n3 1\n0 2\n"


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """The folder that libtpu would write to."""
    monkeypatch.setattr(schedules, "_folder", lambda: tmp_path)
    return tmp_path


def test_schedules_are_read_once_and_the_last_of_a_name_counts(folder):
    (folder / f"1796-own.1-00-{schedules._PASS}.txt").write_text(SCHEDULE)
    (folder / f"1797-own.1-00-{schedules._PASS}.txt").write_text(SCHEDULE + "1 1\n")
    (folder / f"1798-half.1-00-{schedules._PASS}.txt").write_text("== CAPACTIY:\nMXU")
    (folder / "1796-TLP-hlo.txt").write_text("HloModule")
    assert schedules.take_schedules() == {"own.1": 4}
    assert schedules.take_schedules() == {}


def test_equal_kernels_share_a_schedule_and_others_have_none():
    program = Hlo.parse(PROGRAM)
    found = schedules.kernel_cycles(program, {"own.1": 3}, cores=1)
    assert found == {"own.1": 12, "own.2": 12}  # four steps
    assert {cost.name: cost.cycles for cost in costs(program, found) if cost.opcode == "custom-call"} == {
        "own.1": 12,
        "own.2": 12,
        "own.3": 0,
        "silent": 0,
    }
    assert unscheduled(program, found) == ["tpu_custom_call own", "tpu_custom_call splash"]


@pytest.mark.parametrize(("cores", "steps"), [(1, 4), (2, 2), (3, 2)])
def test_cores_share_the_steps_that_need_not_be_in_turn(cores, steps):
    """Four steps, of which two and two are in turn."""
    assert schedules.kernel_cycles(Hlo.parse(PROGRAM), {"own.3": 5}, cores) == {"own.3": 5 * steps}


@pytest.mark.parametrize("given", [None, "--xla_a=1"])
def test_libtpu_is_asked_for_schedules_only_while_it_starts(folder, monkeypatch, given):
    monkeypatch.delenv("LIBTPU_INIT_ARGS", raising=False)
    if given:
        monkeypatch.setenv("LIBTPU_INIT_ARGS", given)
    with schedules.written_schedules():
        asked = os.environ["LIBTPU_INIT_ARGS"].split()
    assert asked[: len(asked) - 3] == [given] * (given is not None)
    assert asked[-3] == f"--xla_jf_dump_to={folder}"
    assert os.environ.get("LIBTPU_INIT_ARGS") == given


@pytest.mark.parametrize("inside", ["a b", "ab"])
def test_libtpu_is_not_asked_twice_or_for_a_path_that_it_cannot_read(monkeypatch, tmp_path, inside):
    monkeypatch.setattr(schedules, "_folder", lambda: tmp_path / inside)
    monkeypatch.setenv("LIBTPU_INIT_ARGS", "" if " " in inside else "--xla_jf_dump_to=/elsewhere")
    before = os.environ["LIBTPU_INIT_ARGS"]
    with schedules.written_schedules():
        assert os.environ["LIBTPU_INIT_ARGS"] == before


@pytest.mark.compile
def test_a_program_for_a_tpu_has_the_cycles_of_its_kernels():
    if importlib.util.find_spec("libtpu") is None:
        pytest.skip("needs libtpu: pip install 'itt_jax[compile-tpu]'")
    there = topology("v5e:1x1")
    placed = jax.sharding.SingleDeviceSharding(there.hardware.devices[0])
    x = jax.ShapeDtypeStruct((16, 128, 4, 64), jnp.bfloat16, sharding=placed)

    def loss(q, k, v):
        return fused_attention.by_pallas(q, k, v, None).astype(jnp.float32).sum()

    with compiling_for(there.hardware):
        schedules.take_schedules()
        compiled = jax.jit(jax.grad(loss, (0, 1, 2))).lower(x, x, x).compile()
    report = read(compiled, there, schedules=schedules.take_schedules())
    assert report.unscheduled == ()
    cycles = max(cost.cycles for cost in report.top if "tpu_attention_backward" in cost.operation)
    least = 5 * 2 * 16 * 128 * 128 * 256 / there.accelerator.peak * there.accelerator.hertz
    assert 2 * least < cycles < 8 * least  # heads of 64 fill half of a product
