"""Tables, figures and the HTML report of a study's store."""

from itt_jax.report.folders import write_page_of_parts
from itt_jax.report.power import power_markdown
from itt_jax.report.summary import summary_markdown
from itt_jax.report.writing import write_report

__all__ = ["power_markdown", "summary_markdown", "write_page_of_parts", "write_report"]
