"""The text of a compiled program (XLA's HLO): its instructions, and how often a step executes each.

XLA's own cost analysis counts the body of a loop once. A scan over twelve layers would thus cost as much as one layer;
here each instruction counts as often as it is executed.

Source: https://openxla.org/xla/operation_semantics
"""

import dataclasses
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator

_ARRAY = re.compile(
    r"\b(?P<dtype>pred|bf16|[sufc][0-9]+[a-z0-9]*)\[(?P<sizes>[0-9,]*)\](?P<chip>\{[0-9,]*:[^}]*\bS\([1-9])?"
)
_INSTRUCTION = re.compile(r"^\s+(?P<root>ROOT )?%(?P<name>\S+) = (?P<rest>.*)$")
_COMPUTATION = re.compile(r"^(?P<entry>ENTRY )?%(?P<name>\S+) \(.*\{$")
_CALLED = re.compile(r"\b(?:calls|to_apply|body|condition|true_computation|false_computation)=%([^\s,}]+)")
_BRANCHES = re.compile(r"branch_computations=\{([^}]*)\}")
_CONTINUED = re.compile(r'\n(?="|\}.)')
"""Where an instruction goes on in the next line: the metadata of Pallas kernels is printed in several."""
_TRIPS = re.compile(r'"known_trip_count":\{"n":"([0-9]+)"')


@dataclasses.dataclass(frozen=True)
class Array:
    """One array of a program.

    Attributes:
        dtype: "f32", "bf16". shape: shape of each device's part.
        on_chip: whether it lies in a TPU's on-chip memory, its layout's S(1), instead of the main memory.
    """

    dtype: str
    shape: tuple[int, ...]
    on_chip: bool = False

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> float:
        """Bytes without padding."""
        bits = re.search("[0-9]+", self.dtype)  # "pred" has none, and one byte an element
        return self.size * (int(bits.group()) if bits else 8) / 8

    @property
    def main_bytes(self) -> float:
        """Bytes in the main memory, without padding."""
        return 0.0 if self.on_chip else self.bytes


def arrays(text: str) -> list[Array]:
    """The arrays of a shape as a program writes it: "f32[2,3]{1,0}", or a tuple of such."""
    return [
        Array(found["dtype"], tuple(int(n) for n in found["sizes"].split(",") if n), found["chip"] is not None)
        for found in _ARRAY.finditer(text)
    ]


@dataclasses.dataclass(frozen=True)
class Instruction:
    """One instruction.

    Attributes:
        shape: text of the result's shape. operands: names. arguments: text between the parentheses.
        attributes: the rest of the line. root: whether it is the result of its computation.
    """

    name: str
    opcode: str
    shape: str
    operands: tuple[str, ...]
    arguments: str
    attributes: str
    root: bool

    @property
    def results(self) -> list[Array]:
        """The arrays of the result."""
        return arrays(self.shape)

    @property
    def called(self) -> list[str]:
        """Names of the computations that it refers to."""
        found = _CALLED.findall(self.attributes)
        for branches in _BRANCHES.findall(self.attributes):
            found += re.findall(r"%([^\s,]+)", branches)
        return found

    def attribute(self, name: str) -> str:
        """The text of an attribute without nested braces ("kLoop", "size=3 pad=1_1"); empty if it has none."""
        found = re.search(rf"\b{name}=(?:\{{([^}}]*)\}}|\"([^\"]*)\"|([^\s,]+))", self.attributes)
        return next((group for group in found.groups() if group is not None), "") if found else ""


Computation = dict[str, Instruction]
"""The instructions of a computation by name, in the order of execution."""
Expense = Callable[[Computation, Instruction], tuple[float, ...]]
"""The cost of one execution of an instruction; sums over instructions are compared."""


@dataclasses.dataclass(frozen=True)
class Hlo:
    """A program.

    Attributes:
        computations: by name. entry: name of the one that is executed.
    """

    computations: dict[str, Computation]
    entry: str

    @classmethod
    def parse(cls, text: str) -> "Hlo":
        """A program from its text (`jax.stages.Compiled.as_text`)."""
        computations: dict[str, Computation] = {}
        entry, current = "", {}
        for line in _CONTINUED.sub(" ", text).splitlines():
            if begins := _COMPUTATION.match(line):
                current = computations.setdefault(begins["name"], {})
                entry = begins["name"] if begins["entry"] else entry
            elif found := _INSTRUCTION.match(line):
                current[found["name"]] = _instruction(found["name"], found["rest"], found["root"] is not None)
        return cls(computations, entry)

    def executions(self, expense: Expense) -> Counter[str]:
        """How often a step executes each computation; fusions and reducers, which are parts of instructions, never.

        In a conditional, the branch with the highest expense counts. Loops of unknown length count once.
        """
        return self._executions(self.entry, expense)

    def _executions(self, name: str, expense: Expense) -> Counter[str]:
        """How often one execution of a computation executes it and each that it calls."""
        counts = Counter({name: 1})
        for one in self.computations.get(name, {}).values():
            if one.opcode not in ("while", "call", "call-start", "conditional", "async-start"):
                continue
            called = [self._executions(inner, expense) for inner in one.called]
            if one.opcode == "conditional":
                called = [max(called, key=lambda own: self._expense(own, expense))]
            repeats = (self.trips(one) or 1) if one.opcode == "while" else 1
            for own in called:
                counts.update({inner: repeats * times for inner, times in own.items()})
        return counts

    def _expense(self, counts: Counter[str], expense: Expense) -> tuple[float, ...]:
        """The expense of all instructions of computations that are executed so often."""
        each = [[times * part for part in expense(inside, one)] for inside, one, times in self._instructions(counts)]
        return tuple(map(sum, zip(*each, strict=True)))

    def executed(self, expense: Expense) -> Iterator[tuple[Computation, Instruction, int]]:
        """Every instruction that a step executes, with its computation and how often it is executed."""
        return self._instructions(self.executions(expense))

    def _instructions(self, counts: Counter[str]) -> Iterator[tuple[Computation, Instruction, int]]:
        for name, times in counts.items():
            for one in self.computations.get(name, {}).values():
                yield self.computations[name], one, times

    def parts(self, one: Instruction) -> Iterator[Instruction]:
        """The instruction, or those inside it if it is a fusion."""
        if one.opcode != "fusion":
            yield one
            return
        for inner in self.computations[one.called[0]].values():
            yield from self.parts(inner)

    def trips(self, loop: Instruction) -> int | None:
        """How often a loop's body is executed; None if the text does not say."""
        if known := _TRIPS.search(loop.attributes):
            return int(known.group(1))
        condition = self.computations.get(loop.attribute("condition").lstrip("%"), {})
        root = next((one for one in condition.values() if one.root), None)
        while root is not None and root.opcode == "fusion":  # a comparison fused with its constant
            inner, outer = self.computations[root.called[0]], root
            root = next(one for one in inner.values() if one.root)
            condition = condition | inner | _bound(inner, outer, condition)
        if root is None:
            return None
        limits = [condition[name] for name in root.operands if name in condition]
        constants = [int(one.arguments) for one in limits if one.opcode == "constant" and one.arguments.isdigit()]
        return constants[0] if len(constants) == 1 and root.attribute("direction") == "LT" else None


def _bound(inner: Computation, outer: Instruction, around: Computation) -> Computation:
    """The parameters of a fusion as the instructions that it is given."""
    given = {str(number): around[name] for number, name in enumerate(outer.operands) if name in around}
    parameters = {name: one.arguments for name, one in inner.items() if one.opcode == "parameter"}
    return {name: given[number] for name, number in parameters.items() if number in given}


def _instruction(name: str, rest: str, root: bool) -> Instruction:
    """An instruction from the text after its "="."""
    end = _closing(rest, 0) + 1 if rest.startswith("(") else rest.index(" ")
    shape, call = rest[:end], rest[end:].lstrip()
    opening = call.index("(")
    closing = _closing(call, opening)
    arguments = call[opening + 1 : closing]
    operands = () if call.startswith("constant(") else tuple(re.findall(r"%([^\s,()]+)", arguments))
    return Instruction(name, call[:opening], shape, operands, arguments, call[closing + 1 :], root)


def _closing(text: str, opening: int) -> int:
    """The index of the parenthesis that closes the one at `opening`."""
    depth = 0
    for found in re.finditer(r"[()]", text[opening:]):
        depth += 1 if found.group() == "(" else -1
        if not depth:
            return opening + found.start()
    raise ValueError(f"no closing parenthesis: {text[:100]}")
