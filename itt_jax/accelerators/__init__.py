"""Programs compiled for accelerators that are not here, and their compilers' figures."""

from itt_jax.accelerators.report import Report, compiled_report
from itt_jax.accelerators.topologies import ACCELERATORS, Accelerator, Topology, topology

__all__ = ["ACCELERATORS", "Accelerator", "Report", "Topology", "compiled_report", "topology"]
