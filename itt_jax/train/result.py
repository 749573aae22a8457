"""What runs and stages give back."""

import dataclasses
import math

from itt_jax.train.state import Params


@dataclasses.dataclass
class Record:
    """What a stage remembers besides parameters: JSON, part of the resumable state.

    `recent` are the losses since the last entry of `losses`; `halvings` says how often its stack had halved its
    microbatches, which number its dropout keys.
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


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        params: on the host, best or last, as the recipe keeps. steps: done. finite: all losses and gradients were.
        compile_seconds: that the loop waited for programs; seconds: of the loop in all. Both are its stack's.
    """

    params: Params
    record: Record
    steps: int
    finite: bool
    compile_seconds: float
    seconds: float


@dataclasses.dataclass(frozen=True)
class StageResult:
    """What a stage gives back.

    Attributes:
        params: {"encoder": ..., "head": ...}, numpy on the host: those of the best dev evaluation, or the last.
        heads: task name -> head parameters, for stages of several tasks.
        steps: done, always those of the recipe, but for a degenerate stage, which stops where it was noticed.
        dev_history: (steps done, score); losses: (steps done, mean loss since the entry before).
        tokens: real tokens trained on; real_token_share: of all positions of the rows; flops: model FLOPs, forward
            and backward, of the real tokens (see flops.py).
        best_step: steps done at the parameters that are returned.
        degenerate: a loss or gradient was not finite; reported, never dropped.
        compile_seconds, seconds: see Outcome. stack: runs that were trained together.
    """

    params: Params
    heads: dict[str, Params]
    steps: int
    dev_history: tuple[tuple[int, float], ...]
    losses: tuple[tuple[int, float], ...]
    tokens: int
    real_token_share: float
    flops: float
    best_step: int
    degenerate: bool
    compile_seconds: float
    seconds: float
    stack: int

    @classmethod
    def create(cls, params: Params, heads: dict[str, Params], outcome: Outcome, stack: int = 1) -> "StageResult":
        """The result of a run that ended so."""
        record = outcome.record
        return cls(
            params=params,
            heads=heads,
            steps=outcome.steps,
            dev_history=tuple(map(tuple, record.dev_history)),
            losses=tuple(map(tuple, record.losses)),
            tokens=record.tokens,
            real_token_share=record.tokens / max(1, record.row_tokens),
            flops=record.flops,
            best_step=record.best_step,
            degenerate=not outcome.finite,
            compile_seconds=outcome.compile_seconds,
            seconds=outcome.seconds,
            stack=stack,
        )
