"""The objective of each way to harden."""

from itt_jax.study.hardening import PGD, SMART, FreeLB, Hardening, WorstOf
from itt_jax.train.objectives.embedding_noise import FreeLBObjective, PGDObjective, SMARTObjective
from itt_jax.train.objectives.objective import Objective
from itt_jax.train.objectives.task import TaskObjective
from itt_jax.train.objectives.worst_of import WorstOfObjective


def hardened(own: TaskObjective, hardening: Hardening | None) -> Objective:
    """The objective to minimise under a hardening; the task's own if the hardening changes only the rows."""
    if isinstance(hardening, WorstOf):
        return WorstOfObjective(own, hardening.draws)
    if isinstance(hardening, FreeLB):
        return FreeLBObjective(own, hardening)
    if isinstance(hardening, PGD):
        return PGDObjective(own, hardening)
    return SMARTObjective(own, hardening) if isinstance(hardening, SMART) else own
