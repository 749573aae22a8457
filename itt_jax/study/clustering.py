"""Which evaluated items share a text, so that the analysis does not treat them as independent."""

from collections.abc import Sequence

from itt_jax import tasks
from itt_jax.data.clusters import clusters
from itt_jax.data.rows import Rows
from itt_jax.study.material import Material, Selection
from itt_jax.study.plan import Plan
from itt_jax.tasks import Task


def plan_clusters(plan: Plan, material: Material) -> dict[str, str]:
    """Item id -> its cluster, of every evaluated row of a plan, dev rows included."""
    limit = plan.study.evaluation_rows
    rows: dict[tuple[str, str], dict[str, Rows | None]] = {}
    for task, split, language in dict.fromkeys(cell.place for cell in plan.all_cells()):
        selection = Selection(task, split, language, limit)
        rows.setdefault((task, split), {})[language] = material.rows(selection)
    for task, split, language in dict.fromkeys(cell.place for cell in plan.signal_cells()):
        selection = Selection(task, split, language, limit)
        rows.setdefault((task, split), {}).setdefault(language, material.signal_rows(selection))
    found: dict[str, str] = {}
    for (task, _), by_language in rows.items():
        found |= task_clusters(material.task(task), [own for own in by_language.values() if own is not None])
    return found


def task_clusters(task: Task, languages: Sequence[Rows]) -> dict[str, str]:
    """The same for the rows of one split of a task."""
    groups = [tasks.documents(rows.item_ids) for rows in languages] if task.documents else []
    return clusters([tasks.identifying(task, rows) for rows in languages], groups)
