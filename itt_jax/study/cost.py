"""The cost of a plan's missing stages and cells, as far as it can be known beforehand."""

import dataclasses
from collections import Counter
from collections.abc import Collection, Mapping

import jax

from itt_jax import families
from itt_jax.config import EncoderSpec
from itt_jax.errors import InputError
from itt_jax.models import Encoder, local_folder, make_encoder
from itt_jax.models.checkpoint_files import CONFIG, read_json
from itt_jax.store import Store
from itt_jax.store.cache import StageCache
from itt_jax.store.place import size
from itt_jax.study.adversaries import Attacked
from itt_jax.study.attack_runs import queries_asked
from itt_jax.study.keeping import Keeping
from itt_jax.study.material import Material, Selection, mean_tokens
from itt_jax.study.plan import Plan
from itt_jax.study.progress import EVALUATION, TRAINING, flop
from itt_jax.study.stages import Stage, pretrain
from itt_jax.study.stages.given import shallow
from itt_jax.study.stages.match_compute import MatchedFineTuning
from itt_jax.train.checkpoint import is_ours, saved_encoder
from itt_jax.train.resume import resumable_bytes

CHECKPOINT_BYTES = 1e6
"""Size of a checkpoint without its parameters: tokenizer, digests of training text, head."""
CELL_BYTES, ROW_BYTES = 5e3, 30
"""Size of a cell's file, and of each of its rows."""
STATE = 4
"""Size of a resumable state in units of the parameters: parameters, two moments, and the best parameters so far."""


@dataclasses.dataclass(frozen=True)
class Disk:
    """Bytes that a run adds to a results folder.

    Attributes:
        kept: what stays.
        temporary: the largest amount, at any time, that is removed again: resumable states, checkpoints that are not
            kept.
        peak: the largest sum of both at any time.
    """

    kept: float
    temporary: float
    peak: float

    def __str__(self) -> str:
        """For people."""
        return f"{size(self.kept)} kept" + f", at most {size(self.temporary)} more while stages train" * bool(
            self.temporary
        )


@dataclasses.dataclass(frozen=True)
class Cost:
    """The cost of what a results folder lacks.

    Attributes:
        training, evaluation: id of a stage -> FLOPs to train it, and FLOPs to predict its missing cells, if it has
            some.
        cells: number of missing cells, without those of dev rows.
        disk: bytes of the missing stages, including those in the cache, and cells.
        attacks: name of an attack (`Attacked.work`) -> id of a stage -> FLOPs to make its missing cells.
        at_most: attacks that no model in the folder has undergone; they count as if no row ended early. Others count
            with their mean number of queries so far.
        queries: rough number of queries of these attacks.
        cached: id of a missing stage that is in the cache -> FLOPs that training it would take.
    """

    training: dict[str, float]
    evaluation: dict[str, float]
    cells: int
    disk: Disk
    attacks: Mapping[str, Mapping[str, float]] = dataclasses.field(default_factory=dict)
    at_most: frozenset[str] = frozenset()
    queries: float = 0.0
    cached: Mapping[str, float] = dataclasses.field(default_factory=dict)

    @property
    def work(self) -> dict[str, Mapping[str, float]]:
        """Kind of work -> id of a stage -> FLOPs."""
        return {TRAINING: self.training, EVALUATION: self.evaluation, **self.attacks}

    @property
    def evaluation_flops(self) -> float:
        """FLOPs of all missing cells."""
        return self.flops - sum(self.training.values())

    @property
    def flops(self) -> float:
        """All FLOPs that are missing."""
        return sum(flops for own in self.work.values() for flops in own.values())


@dataclasses.dataclass(frozen=True)
class Matched:
    """A control that matches the compute of another arm, as far as it is known before anything trains.

    Attributes:
        encoder, target, arm: its place; the same for every seed. steps, flops: approximate numbers for one run.
            target_steps: those of the target stage alone.
    """

    encoder: str
    target: str
    arm: str
    steps: int
    target_steps: int
    flops: float

    def __str__(self) -> str:
        """For people."""
        about = f"about {self.steps:,} steps (the target stage alone: {self.target_steps:,}), {flop(self.flops)} a run"
        return f"{self.encoder}, {self.target}, {self.arm}: {about}"


def matched_controls(plan: Plan, material: Material) -> list[Matched]:
    """The compute controls of each encoder and target, estimated from mean lengths of texts."""
    found: dict[tuple[str, str, str], Matched] = {}
    for stage in (stage for stage in plan.stages.values() if isinstance(stage, MatchedFineTuning)):
        parameters = sized_encoder(stage.spec).config.matmul_parameters
        flops = 6 * parameters * stage.training_tokens(material) / stage.runs
        for target, arm in plan.uses[stage.id]:
            key = (stage.spec.name, target, arm)
            found[key] = Matched(*key, round(stage.about_steps(material)), stage.steps, flops)
    return list(found.values())


def missing_cost(
    plan: Plan, material: Material, store: Store, together: int = 1, cache: StageCache | None = None
) -> Cost:
    """The cost of the parts of a plan that the folder lacks.

    Args:
        together: maximum number of stages that train together, each of which keeps its resumable states until all end.
        cache: a cache that may hold missing stages.
    """
    keeping = Keeping(plan, store)
    encoders = {spec.name: sized_encoder(spec) for spec in plan.study.encoders}
    training: dict[str, float] = {}
    cached: dict[str, float] = {}
    evaluation: dict[str, float] = {}
    cell_bytes: dict[str, float] = {}
    attacks: dict[str, dict[str, float]] = {}
    cells, queries, asked = 0, 0.0, _Asked(plan, store)
    for stage in plan.stages.values():
        parameters = encoders[stage.spec.name].config.matmul_parameters
        if keeping.must_make(stage):
            into = cached if cache is not None and stage.id in cache else training
            into[stage.id] = 6 * parameters * stage.training_tokens(material)
        lacking = keeping.missing_cells(stage)
        cells += len({cell.cell for cell in lacking} & {cell.cell for cell in plan.cells.get(stage.id, ())})
        for own in (plan.attacked[cell.cell] for cell in lacking if cell.attack):
            expected = asked.of(stage.id, own)
            queries += expected
            texts = expected + 2 * len(own.rows)  # the clean ones and the last ones are predicted for the cell
            tokens = texts * min(mean_tokens(own.rows), plan.study.max_length)
            work = attacks.setdefault(own.work, {})
            work[stage.id] = work.get(stage.id, 0.0) + 2 * parameters * tokens
        plain = Counter(cell.place for cell in lacking if not cell.attack)
        for (task, split, language), count in Counter(cell.place for cell in lacking).items():
            rows = material.rows(Selection(task, split, language, plan.study.evaluation_rows))
            tokens = plain[task, split, language] * len(rows) * min(mean_tokens(rows), plan.study.max_length)
            evaluation[stage.id] = evaluation.get(stage.id, 0.0) + 2 * parameters * tokens
            cell_bytes[stage.id] = cell_bytes.get(stage.id, 0.0) + count * (CELL_BYTES + ROW_BYTES * len(rows))
    weights = {name: 4 * parameter_count(encoder) + CHECKPOINT_BYTES for name, encoder in encoders.items()}
    made = [stage for stage in plan.stages.values() if stage.id in training or stage.id in cached]
    disk = _disk(groups(made, material, together), weights, cell_bytes, keeping, training)
    at_most = frozenset(attacks) - asked.means.keys()
    return Cost(training, evaluation, cells, disk, attacks, at_most, queries, cached)


class _Asked:
    """The numbers of queries that attacks take, known from those finished in the folder.

    Attributes:
        means: name of an attack -> mean number of queries on a model.
    """

    def __init__(self, plan: Plan, store: Store):
        self._taken: dict[str, dict[str, float]] = {}
        for cell in (cell for cell in plan.all_cells() if cell.attack):
            own = plan.attacked[cell.cell]
            if (taken := queries_asked(store, cell.stage, own)) is not None:
                self._taken.setdefault(own.work, {})[cell.stage] = taken
        self.means = {name: sum(taken.values()) / len(taken) for name, taken in self._taken.items()}

    def of(self, stage: str, own: Attacked) -> float:
        """Expected queries of an attack on a stage's model; 0 if only its cell is missing."""
        if stage in self._taken.get(own.work, ()):
            return 0.0
        return self.means.get(own.work, own.queries)


def groups(stages: list[Stage], material: Material, together: int) -> list[list[Stage]]:
    """The groups of stages that train together, at most `together` each, in order."""
    found, left = [], list(stages)
    while left:
        key, unmade = left[0].stack_key(material), {stage.id for stage in left}
        same = [
            stage
            for stage in left[1:]
            if key is not None and stage.stack_key(material) == key and stage.origin.id not in unmade
        ]
        found.append([left[0], *same[: together - 1]])
        left = [stage for stage in left if stage not in found[-1]]
    return found


def _disk(
    groups: list[list[Stage]],
    weights: Mapping[str, float],
    cell_bytes: Mapping[str, float],
    keeping: Keeping,
    trained: Collection[str],
) -> Disk:
    """The bytes that groups of stages add to the disk, step by step.

    Args:
        weights: name of an encoder -> bytes of a checkpoint. cell_bytes: id of a stage -> bytes of its missing cells.
        trained: ids of those stages that are not in the cache, which keep resumable states.
    """
    made = [stage for group in groups for stage in group]
    children = Counter(stage.parent.id for stage in made if stage.parent is not None)
    own = {stage.id: weights[stage.spec.name] for stage in made}
    state = {stage.id: STATE * own[stage.id] * (stage.id in trained) for stage in made}
    kept, temporary, peak = 0.0, 0.0, 0.0
    waiting: dict[str, float] = {}  # checkpoints that are removed after their children
    for group in groups:
        states = sum(state[stage.id] * stage.resumable_runs for stage in group)
        # A run's new state is written before its old one is removed.
        states += max(state[stage.id] * (stage.resumable_runs > 0) for stage in group)
        states -= sum(resumable_bytes(keeping.store.stage(stage.id)) for stage in group)  # that is there already
        training = sum(waiting.values()) + max(0.0, states)
        temporary, peak = max(temporary, training), max(peak, kept + training)
        for stage in group:
            kept += own[stage.id] * keeping.keeps(stage) + cell_bytes.get(stage.id, 0.0)
            waiting |= {} if keeping.keeps(stage) else {stage.id: own[stage.id]}
        temporary, peak = max(temporary, sum(waiting.values())), max(peak, kept + sum(waiting.values()))
        children.subtract(stage.parent.id for stage in group if stage.parent is not None)
        waiting = {name: size for name, size in waiting.items() if children[name] > 0}
    kept += sum(size for name, size in cell_bytes.items() if name not in own)
    return Disk(kept, temporary, max(peak, kept))


def sized_encoder(spec: EncoderSpec) -> Encoder:
    """The encoder of a spec, made from its sizes or the checkpoint's config; its vocabulary may turn out smaller."""
    if spec.checkpoint is None:
        sizes = {name: getattr(spec, name) for name in pretrain.SIZES}
        return make_encoder(spec.family, **sizes, vocabulary_size=spec.vocabulary_size)
    folder = local_folder(spec.checkpoint)
    if is_ours(folder):
        return shallow(saved_encoder(folder), spec)
    values = read_json(folder / CONFIG)
    try:
        config = families.from_huggingface(values)
    except InputError as error:
        raise InputError(f"{folder / CONFIG}: {error}") from error
    return shallow(Encoder(config), spec)


def parameter_count(encoder: Encoder) -> int:
    """Number of parameters."""
    return sum(leaf.size for leaf in jax.tree.leaves(encoder.shapes()))
