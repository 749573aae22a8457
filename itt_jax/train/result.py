"""Results of runs and stages."""

import dataclasses
import math
from typing import Any

from itt_jax.train.state import Params


@dataclasses.dataclass
class Record:
    """Histories and counts of a run: JSON, part of its resumable state.

    Attributes:
        dev_history, losses: as in `StageResult`.
        recent: losses since the last entry of `losses`.
        best_step, best_score: step and score of the best dev evaluation so far.
        tokens, flops: as in `StageResult`. row_tokens: all positions of the rows, padding included.
        halvings: how often the stack had halved its microbatches; dropout keys are numbered by microbatch.
        interrupted: as in `StageResult`.
    """

    dev_history: list[tuple[int, float]] = dataclasses.field(default_factory=list)
    losses: list[tuple[int, float]] = dataclasses.field(default_factory=list)
    recent: list[float] = dataclasses.field(default_factory=list)
    best_step: int | None = None
    best_score: float = -math.inf
    tokens: int = 0
    row_tokens: int = 0
    flops: float = 0.0
    halvings: int = 0
    interrupted: list[dict[str, Any]] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """A finished run.

    Attributes:
        params: on the host; the best or the last ones, according to `Recipe.keep`.
        steps: number of steps done. finite: whether all losses and gradients were.
        compile_seconds: time that the loop waited for programs. seconds: total time of the loop. Both are the stack's.
    """

    params: Params
    record: Record
    steps: int
    finite: bool
    compile_seconds: float
    seconds: float


@dataclasses.dataclass(frozen=True)
class StageResult:
    """The result of a stage.

    Attributes:
        params: {"encoder": ..., "head": ...}, numpy arrays: those of the best dev evaluation, or the last.
        heads: task name -> head parameters, for stages on several tasks.
        steps: number of steps done: the recipe's, unless the stage diverged and stopped early.
        dev_history: (steps done, score). losses: (steps done, mean loss since the previous entry).
        tokens: real tokens trained on. packing_efficiency: their share of all positions of the rows.
        flops: model FLOPs of the real tokens, forward and backward (see flops.py).
        best_step: steps done at the returned parameters.
        diverged: a loss or gradient was not finite; the stage is reported, never dropped.
        compile_seconds, seconds: see `Outcome`. stack: number of runs trained together.
        interrupted: the steps done, device and versions at each interruption after which others went on.
    """

    params: Params
    heads: dict[str, Params]
    steps: int
    dev_history: tuple[tuple[int, float], ...]
    losses: tuple[tuple[int, float], ...]
    tokens: int
    packing_efficiency: float
    flops: float
    best_step: int
    diverged: bool
    compile_seconds: float
    seconds: float
    stack: int
    interrupted: tuple[dict[str, Any], ...] = ()

    @classmethod
    def create(cls, params: Params, heads: dict[str, Params], outcome: Outcome, stack: int = 1) -> "StageResult":
        """The result of a stage whose run ended with `outcome`."""
        record = outcome.record
        assert record.best_step is not None  # every outcome has one
        return cls(
            params=params,
            heads=heads,
            steps=outcome.steps,
            dev_history=tuple((steps, score) for steps, score in record.dev_history),
            losses=tuple((steps, loss) for steps, loss in record.losses),
            tokens=record.tokens,
            packing_efficiency=record.tokens / max(1, record.row_tokens),
            flops=record.flops,
            best_step=record.best_step,
            diverged=not outcome.finite,
            compile_seconds=outcome.compile_seconds,
            seconds=outcome.seconds,
            stack=stack,
            interrupted=tuple(record.interrupted),
        )
