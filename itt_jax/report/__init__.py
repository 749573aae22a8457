"""Tables, figures and the HTML report of a study's store."""

from itt_jax.report.attack_page import write_attack_page
from itt_jax.report.power import power_markdown
from itt_jax.report.summary import summary_markdown
from itt_jax.report.writing import write_report

__all__ = ["power_markdown", "summary_markdown", "write_attack_page", "write_report"]
