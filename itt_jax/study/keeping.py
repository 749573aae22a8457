"""Which stages must be made, and which checkpoints stay once nothing needs them any more.

A stage whose checkpoint was removed still counts as done: its record and its cells are there. It is made again if a
later run has cells to add to it, or children to train from it.
"""

from itt_jax.store import Store
from itt_jax.study.cells import Cell
from itt_jax.study.plan import Plan
from itt_jax.study.stages import Stage


class Keeping:
    """The parts of a plan that the results folder has, and those it will keep (`Study.save_checkpoints`)."""

    def __init__(self, plan: Plan, store: Store):
        self.plan, self.store = plan, store
        self._children: dict[str, list[Stage]] = {}
        for stage in plan.stages.values():
            if stage.parent is not None:
                self._children.setdefault(stage.parent.id, []).append(stage)

    def missing_cells(self, stage: Stage) -> list[Cell]:
        """The stage's cells that the folder lacks, those of dev rows last."""
        planned = (*self.plan.cells.get(stage.id, ()), *self.plan.signal.get(stage.id, ()))
        return [cell for cell in planned if not self.store.has_cell(cell.cell)]

    def must_make(self, stage: Stage) -> bool:
        """Whether the stage is not done, or its parameters are needed but were removed."""
        if not stage.is_done(self.store):
            return True
        return not stage.has_parameters(self.store) and self._is_needed(stage)

    def needs_parameters(self, stage: Stage) -> bool:
        """Whether parameters in the folder will be read: cells or children are to be made from them."""
        return self.store.has_checkpoint(stage.id) and stage.is_done(self.store) and self._is_needed(stage)

    def keeps(self, stage: Stage) -> bool:
        """Whether the checkpoint stays. That of an encoder made here always does, as every arm starts from it."""
        saved = self.plan.study.save_checkpoints
        return saved == "all" or stage.parent is None or (saved == "target" and stage.id in self.plan.cells)

    def clear(self, stages: list[Stage]) -> None:
        """Remove the checkpoints of these stages and of their parents that are neither kept nor needed."""
        candidates = {own.id: own for stage in stages for own in (stage, stage.parent) if own is not None}
        for stage in candidates.values():
            done = stage.is_done(self.store) and stage.has_parameters(self.store)
            if done and not self.keeps(stage) and not self._is_needed(stage):
                self.store.remove_checkpoint(stage.id)

    def _is_needed(self, stage: Stage) -> bool:
        """Whether cells or children are to be made from the stage's parameters."""
        return bool(self.missing_cells(stage)) or any(map(self.must_make, self._children.get(stage.id, ())))
