"""Questions to results folders in SQL; reads what the store and the report have written, and writes nothing."""

from itt_jax.query.database import DEFAULT, ask
from itt_jax.query.output import FORMATS, rendered

__all__ = ["DEFAULT", "FORMATS", "ask", "rendered"]
