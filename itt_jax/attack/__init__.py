"""Attacks: perturbations chosen against one model, by search within a budget. Only `victim` needs JAX."""

from itt_jax.attack.attack import Attack, Search
from itt_jax.attack.goals import GOALS, Goal, goal_for
from itt_jax.attack.lockstep import Attempt, attack_rows
from itt_jax.attack.recipes import ATTACKS, adapted, get
from itt_jax.attack.subject import Subject, subjects

__all__ = [
    "ATTACKS",
    "GOALS",
    "Attack",
    "Attempt",
    "Goal",
    "Search",
    "Subject",
    "adapted",
    "attack_rows",
    "get",
    "goal_for",
    "subjects",
]
