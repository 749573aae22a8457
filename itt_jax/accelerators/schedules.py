"""Cycles of kernels, from the schedules that libtpu writes while it compiles: XLA estimates none.

A schedule has a line for each instruction of one step of a kernel's grid, and an instruction takes at least a cycle. So
their number times that of steps is the least that a kernel takes, without waiting for memory.
"""

import functools
import os
import pathlib
import re
import tempfile

from itt_jax.accelerators.hlo import Hlo, Instruction

_VARIABLE = "LIBTPU_INIT_ARGS"
_PASS = "final_hlo-static-per-bundle-utilization"
_FLAGS = f"--xla_jf_dump_llo_text=true --xla_jf_dump_llo_pass_label_regex={_PASS}"
_FILE = re.compile(rf"[0-9]+-(.+)-[0-9]+-{_PASS}\.txt")
_STEP = re.compile(r'\\?"elements_of_a_step\\?":\s*\\?"?([0-9]+)')
_BODY = re.compile(r'"body":\s*"([^"]*)"')


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="itt_jax-schedules-")


def write_schedules() -> None:
    """Lets libtpu write schedules, if it has not started yet and nobody else has it write something."""
    given = os.environ.get(_VARIABLE, "")
    if "--xla_jf_dump_to" not in given:
        own = (
            f"--xla_jf_dump_to={_folder().name} --xla_jf_dump_llo_text=true --xla_jf_dump_llo_pass_label_regex={_PASS}"
        )
        os.environ[_VARIABLE] = f"{given} {own}".strip()


def take_schedules() -> dict[str, int]:
    """Instructions of one step of each kernel, by name, of the programs compiled since the last call."""
    found = {}
    for path in pathlib.Path(_folder().name).iterdir():
        if named := _FILE.fullmatch(path.name):
            lines = path.read_text(encoding="utf-8").splitlines()
            found[named[1]] = sum(line[:1].isdigit() for line in lines[lines.index("== UTILIZATION:") :])
        path.unlink()
    return found


def kernel_cycles(program: Hlo, schedules: dict[str, int]) -> dict[str, int]:
    """Cycles of one execution of each kernel that says what a step is, by the name of its instruction.

    libtpu compiles equal kernels once, under the name of the first.
    """
    kernels = [
        (one, int(step[1]))
        for computation in program.computations.values()
        for one in computation.values()
        if one.opcode == "custom-call" and (step := _STEP.search(one.attributes))
    ]
    lines = {_body(one): schedules[one.name] for one, _ in kernels if one.name in schedules}
    return {one.name: lines[_body(one)] * (one.results[0].size // step) for one, step in kernels if _body(one) in lines}


def _body(one: Instruction) -> str:
    """The kernel's code."""
    found = _BODY.search(one.attributes)
    return found[1] if found else one.name
