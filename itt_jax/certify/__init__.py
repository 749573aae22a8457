"""Certificates: lower bounds on accuracy under every edit within a radius, by deletion smoothing."""

from itt_jax.certify.deletion import UNITS, Deletion
from itt_jax.certify.figures import check_attack, summaries, summary_lines
from itt_jax.certify.radius import lower_bound, radius
from itt_jax.certify.smoothing import KINDS, NOT_CERTIFIED, Certificate, Smoothing, certify_rows

__all__ = [
    "KINDS",
    "NOT_CERTIFIED",
    "UNITS",
    "Certificate",
    "Deletion",
    "Smoothing",
    "certify_rows",
    "check_attack",
    "lower_bound",
    "radius",
    "summaries",
    "summary_lines",
]
