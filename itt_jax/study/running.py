"""Running a study: a worker makes everything that a results folder lacks."""

import dataclasses
import pathlib

from itt_jax.config import Study
from itt_jax.store import Store
from itt_jax.store.place import check_place
from itt_jax.store.results import read_results
from itt_jax.store.shared_folders import check_apart, shared_folder
from itt_jax.store.sharing import Sharing, check_shared
from itt_jax.study import hosts
from itt_jax.study.caching import stage_cache
from itt_jax.study.declaring import content, declared
from itt_jax.study.joining import joined
from itt_jax.study.leading import Leader
from itt_jax.study.making import Maker
from itt_jax.study.profiling import Profile
from itt_jax.study.progress import Progress
from itt_jax.study.publishing import Publisher
from itt_jax.study.storing import check_stored
from itt_jax.study.tracking import UNTRACKED, Tracking
from itt_jax.train.compiling import keep_compiled_programs
from itt_jax.train.memory import keep_freed_memory
from itt_jax.train.precision import keep_precision
from itt_jax.train.processes import is_first


@dataclasses.dataclass(frozen=True)
class Results:
    """The outcome of a run: the results folder, and the numbers of cells in the plan and made by this run."""

    out: pathlib.Path
    cells: int
    made: int

    def to_pandas(self):
        """The tidy table of results: one row a cell."""
        return read_results(self.out)


def run(
    study: Study,
    out: str | pathlib.Path,
    data_root: str | pathlib.Path | None = None,
    quiet: bool = False,
    stack: int | None = None,
    profile: bool = False,
    looks: tuple[int, ...] = (),
    tracking: Tracking = UNTRACKED,
    cache: str | pathlib.Path | None = None,
    share: str | None = None,
) -> Results:
    """Train and evaluate everything of the study that the results folder `out` lacks.

    Several workers may run the same study on one folder; each claims the stages that it works on. A worker is one
    process, or several that `jax.distributed` has joined, on one file system (see `hosts`). The study may have changed
    since the folder was written: shared stages and cells stay valid, and plan and results describe the study of the
    latest run.

    Args:
        stack: maximum number of fine-tunings of one shape that are trained and evaluated together; None lets the memory
            decide (1 on a CPU). It changes results only by rounding and by the draws of dropout.
        profile: write a trace of a few steps of the first stage to OUT/profile.
        looks: the numbers of seeds at which a study that grows by seeds is looked at; see `deciding`.
        tracking: where training curves go, besides the folder's records; a failure there is a warning.
        cache: a folder of finished stages that studies share: those that are there are not trained, others are added.
        share: the URL or path of a folder that workers with other results folders share with this one (see
            `store.sharing`); None if all of them use `out`.

    Raises:
        SharingError: the shared folder was lost while the study ran; finished work is kept.
        InputError: the study or its data is wrong, `out` holds something else, or `cache` or `share` cannot be one;
            nothing is written then.
        StageError: stages that could not be made; everything else is done and stored.
        NotFiniteError: cells with a score that is not finite; everything else is done and stored.
    """
    keep_compiled_programs()
    keep_freed_memory()
    keep_precision(study.precision)
    check_place(pathlib.Path(out))
    stages = stage_cache(cache, study)
    store = opened(out, share)
    trackers = tracking.trackers(store, study.name) if is_first() else ()
    with Progress(quiet or not is_first()) as progress:
        progress.at(f"study {study.name}", "reading its data")
        hosts.check_same(hosts.installation(stack, looks))
        own = joined(study, store, data_root, stack, stages)
        declaration = declared(store, content(own.plan, own.material, looks))
        hosts.check_same(hosts.described(own.plan, own.inputs))
        traced = store.profile if profile and is_first() else None
        maker = Maker(store, own, progress, stack, Profile(traced), trackers, stages)
        leader = Leader(maker, own, Publisher(store, own, declaration))
        made, failed = leader.lead() if is_first() else hosts.follow(maker)
    check_stored(failed, store.out)
    return Results(store.out, len(own.plan.all_cells()), made)


def opened(out: str | pathlib.Path, share: str | None) -> Store:
    """The results folder, which the first process of a worker keeps in step with the shared folder.

    Raises:
        InputError: the shared folder cannot be used, is inside or around the results folder, or is not the one that the
            results folder names.
    """
    path = pathlib.Path(out)
    if not is_first():
        return Store(path)
    if share is None:
        check_shared(path, None)
        return Store(path)
    check_apart(share, path)
    sharing = Sharing(path, shared_folder(share))
    check_shared(path, sharing.shared.url)
    return Store(path, sharing)
