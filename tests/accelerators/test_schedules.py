"""Cycles of kernels: lines of a schedule times steps of the grid."""

import importlib.util

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
    'custom_call_target="tpu_custom_call", frontend_attributes={kernel_metadata={\n"elements_of_a_step":"32768"\n}}, '
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
    own = schedules._folder().name
    monkeypatch.setattr(schedules._folder(), "name", str(tmp_path))
    yield tmp_path
    monkeypatch.setattr(schedules._folder(), "name", own)


def test_schedules_are_read_once(folder):
    (folder / f"1796-own.1-00-{schedules._PASS}.txt").write_text(SCHEDULE)
    (folder / "1796-TLP-hlo.txt").write_text("HloModule")
    assert schedules.take_schedules() == {"own.1": 3}
    assert schedules.take_schedules() == {}


def test_equal_kernels_share_a_schedule_and_others_have_none():
    program = Hlo.parse(PROGRAM)
    assert schedules.kernel_cycles(program, {"own.1": 3}) == {"own.1": 12, "own.2": 12}  # four steps
    assert {cost.name: cost.cycles for cost in costs(program, {"own.1": 3}) if cost.opcode == "custom-call"} == {
        "own.1": 12,
        "own.2": 12,
        "own.3": 0,
        "silent": 0,
    }
    assert unscheduled(program, {"own.1": 3}) == ["tpu_custom_call own", "tpu_custom_call splash"]


def test_schedules_are_asked_for_unless_something_else_is(folder, monkeypatch):
    monkeypatch.setenv("LIBTPU_INIT_ARGS", "--xla_a=1")
    schedules.write_schedules()
    schedules.write_schedules()
    (given, dumped, *_) = schedules.os.environ["LIBTPU_INIT_ARGS"].split()
    assert (given, dumped) == ("--xla_a=1", f"--xla_jf_dump_to={folder}")
    monkeypatch.setenv("LIBTPU_INIT_ARGS", "--xla_jf_dump_to=/elsewhere")
    schedules.write_schedules()
    assert schedules.os.environ["LIBTPU_INIT_ARGS"] == "--xla_jf_dump_to=/elsewhere"


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
        report = read(jax.jit(jax.grad(loss, (0, 1, 2))).lower(x, x, x).compile(), there)
    assert report.unscheduled == ()
    cycles = max(cost.cycles for cost in report.top if "tpu_attention_backward" in cost.operation)
    least = 5 * 2 * 16 * 128 * 128 * 256 / there.accelerator.peak * there.accelerator.hertz
    assert 2 * least < cycles < 8 * least  # heads of 64 fill half of a product
