"""Cycles of kernels, from the schedules that libtpu writes while it compiles: XLA estimates none.

A schedule has a line for each instruction of one step of a kernel's grid, and an instruction takes at least a cycle, so
their number times that of steps is an estimate, without waiting for memory. It is up to a sixth too high for kernels of
which a part runs in the first or the last step of several only, as such parts count in each.
"""

import atexit
import contextlib
import functools
import os
import pathlib
import re
import tempfile
from collections.abc import Iterator

from itt_jax.accelerators.hlo import Hlo, Instruction

_VARIABLE = "LIBTPU_INIT_ARGS"
_PASS = "final_hlo-static-per-bundle-utilization"
_FLAGS = f"--xla_jf_dump_llo_text=true --xla_jf_dump_llo_pass_label_regex={_PASS}"
_FILE = re.compile(rf"[0-9]+-(.+)-[0-9]+-{_PASS}\.txt")
_HEADING = "== UTILIZATION:"
_BODY = re.compile(r'"body":\s*"([^"]*)"')


@functools.cache
def _folder() -> pathlib.Path:
    """Of this process, which removes it when it ends."""
    folder = tempfile.TemporaryDirectory(prefix="itt_jax-schedules-")
    atexit.register(folder.cleanup)
    return pathlib.Path(folder.name)


@contextlib.contextmanager
def written_schedules() -> Iterator[None]:
    """libtpu reads its options when it starts. If it starts in this context, it will write schedules.

    Unless the user has it write something else. Processes that start later do not inherit the options.
    """
    given = os.environ.get(_VARIABLE)
    if "--xla_jf_dump_to" in (given or "") or " " in str(_folder()):
        yield
        return
    os.environ[_VARIABLE] = f"{given or ''} --xla_jf_dump_to={_folder()} {_FLAGS}".strip()
    try:
        yield
    finally:
        if given is None:
            del os.environ[_VARIABLE]
        else:
            os.environ[_VARIABLE] = given


def take_schedules() -> dict[str, int]:
    """Instructions of one step of each kernel, by name; those of the program that was compiled since the last call."""
    found = {}
    for path in sorted(_folder().iterdir()):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        if (named := _FILE.fullmatch(path.name)) and _HEADING in lines:
            found[named[1]] = sum(line[:1].isdigit() for line in lines[lines.index(_HEADING) :])
        path.unlink()
    return found


def kernel_cycles(program: Hlo, schedules: dict[str, int], cores: int) -> dict[str, int]:
    """Cycles of one execution of each kernel that says what a step is, by the name of its instruction.

    libtpu compiles equal kernels once, under the name of the first.

    Args:
        cores: of a device, over which steps that need not be in turn are divided.
    """
    kernels = {
        one.name: one
        for computation in program.computations.values()
        for one in computation.values()
        if one.opcode == "custom-call" and _stated(one, "elements_of_a_step")
    }
    lines = {_body(one): schedules[name] for name, one in kernels.items() if name in schedules}
    found = {}
    for name, one in kernels.items():
        if _body(one) in lines:
            in_turn = _stated(one, "steps_in_turn")
            steps = one.results[0].size // _stated(one, "elements_of_a_step")
            found[name] = lines[_body(one)] * in_turn * -(-steps // (in_turn * cores))
    return found


def _stated(one: Instruction, name: str) -> int:
    """A number in the metadata of a kernel; 0 if it is not there."""
    found = re.search(rf'"{name}":\s*"([0-9]+)"', one.attributes)
    return int(found[1]) if found else 0


def _body(one: Instruction) -> str:
    """The kernel's code."""
    found = _BODY.search(one.attributes)
    return found[1] if found else one.name
