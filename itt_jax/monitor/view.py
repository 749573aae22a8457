"""A status as a drawing for a terminal, and as one line for a log."""

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from itt_jax.monitor.status import Status, Worker
from itt_jax.store.claims import ACROSS
from itt_jax.study.progress import counted, duration


def line(status: Status) -> str:
    """Progress, workers and speed in one line."""
    working = [worker for worker in status.workers if not worker.gone]
    parts = [f"{status.stages_done} of {counted(status.stages, 'stage')}"] if status.stages else []
    parts += [f"{status.cells_done:,} of {counted(status.cells, 'cell')}", counted(len(working), "worker")]
    if speed := sum(worker.tokens_per_second or 0 for worker in working):
        parts.append(f"{speed:,.0f} tokens/s")
    if status.failed:
        parts.append(counted(status.failed, "failure"))
    return "; ".join([f"{status.name}: {', '.join(parts)}", _left(status), *_warning(status)])


def shown(status: Status) -> RenderableType:
    """Stages and cells done, workers and failures."""
    parts: list[RenderableType] = [Text(status.name, style="bold"), _bars(status), Text(_left(status))]
    if status.tokens and status.seconds:
        rate = f"{status.tokens / status.seconds:,.0f} tokens/s"
        took = f"{status.tokens:,} tokens in {duration(status.seconds)}, compiling included: {rate} a worker"
        parts.append(Text(f"finished stages: {took}", style="dim"))
    if status.shared is not None:
        parts.append(Text(_shared(status), style="dim"))
    parts += [Text(warning, style="yellow") for warning in _warning(status)]
    if status.workers:
        parts += [Text(), _workers(status)]
    if status.failures:
        shown = len(status.failures)
        heading = "failures" if shown == status.failed else f"{shown} of {counted(status.failed, 'failure')}"
        parts += [Text(), Text(heading, style="bold red"), *map(Text, status.failures)]
    return Group(*parts)


def _left(status: Status) -> str:
    working = [worker for worker in status.workers if not worker.gone]
    if status.is_done:
        fetched = status.stages_elsewhere or status.cells_elsewhere or status.seeds_elsewhere
        return "done; `run` with the same --out and --share fetches what this folder lacks" if fetched else "done"
    if not working:
        if status.shared_error is not None:
            return "it is not known who is working on it"
        if status.is_made and status.next_look is not None:
            return f"between looks, the next one at {counted(status.next_look, 'seed')}; not done yet"
        return "nobody is working on it; `run` with the same --out continues"
    if not status.left:
        return "time left: not known yet"
    known = sum(bool(worker.left) for worker in working)
    if known == len(working):
        most = "at most " * any(worker.at_most for worker in working)
        return f"{most}about {duration(status.left)} left"
    return f"at most about {duration(status.left)} left at the speed of {known} of {counted(len(working), 'worker')}"


def _shared(status: Status) -> str:
    """The shared folder, and what only it has."""
    counts = ((status.seeds_elsewhere, "seed"), (status.stages_elsewhere, "stage"), (status.cells_elsewhere, "cell"))
    alone = " and ".join(counted(count, noun) for count, noun in counts if count)
    return f"shared folder: {status.shared}" + (f"; {alone} not fetched yet" if alone else "")


def _warning(status: Status) -> list[str]:
    """One line if the shared folder cannot be read, and one if some of its files are damaged."""
    found = []
    if status.shared_error is not None:
        found.append(f"warning: shared folder not read, other machines shown as before: {status.shared_error}")
    if damaged := status.shared_damaged:
        more = f", as {counted(len(damaged) - 1, 'other file')}" if len(damaged) > 1 else ""
        found.append(f"warning: left out{more}: {damaged[0]}")
    return found


def _bars(status: Status) -> Table:
    bars = Table.grid(padding=(0, 1))
    for name, done, of in (("stages", status.stages_done, status.stages), ("cells", status.cells_done, status.cells)):
        if of:
            bars.add_row(name, ProgressBar(total=of, completed=done, width=40), f"{done:,} of {of:,}")
    return bars


def _workers(status: Status) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("worker")
    table.add_column("stages", justify="right")
    table.add_column("doing", ratio=1)
    table.add_column("tokens/s", justify="right")
    table.add_column("utilisation", justify="right")
    for worker in status.workers:
        speed = "" if worker.tokens_per_second is None else f"{worker.tokens_per_second:,.0f}"
        share = "" if worker.utilisation is None else f"{worker.utilisation:.0%}"
        own = str(len(worker.stages))
        table.add_row(Text(f"{worker.host} {worker.pid}"), own, Text(_doing(worker)), speed, share)
    return table


def _doing(worker: Worker) -> str:
    if worker.gone:
        return "has ended or sends no heartbeat; other workers take over its unfinished work"
    if not worker.doing:
        return _claimed(worker)
    ago = f" ({duration(worker.ago)} ago)" if worker.ago is not None and worker.ago >= 60 else ""
    return f"{worker.doing}: {worker.detail}{ago}"


def _claimed(worker: Worker) -> str:
    """The work of a worker whose log is elsewhere, from its claims."""
    if worker.stages:
        return f"on {', '.join(worker.stages)}"
    if any(name.startswith(ACROSS) for name in worker.others):
        return "reading attacks across"
    return "work outside this folder's plan" if worker.others else "beginning"
