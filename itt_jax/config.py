"""A study and its parts: frozen dataclasses that say everything which determines a result."""

import ast
import dataclasses
import functools
import hashlib
import inspect
import json
import pathlib
import runpy
import traceback
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pydantic

from itt_jax import families
from itt_jax.errors import InputError, unknown
from itt_jax.study import arms
from itt_jax.study.arms import Arm
from itt_jax.tasks.task import Task

LATER = {"later": True}
"""Metadata of a field that is excluded from ids at its default, so ids from before the field existed stay valid."""


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How one stage is trained. Published recipes keep their meaning: a batch counts examples, not rows.

    Attributes:
        steps: number of optimiser steps; if None, `epochs` passes over the training rows decide it.
        batch_size: examples per step.
        accumulate: microbatches per step (the step is the same; memory is smaller).
        learning_rates: the grid; every arm gets the same, chosen on the source language's dev rows.
        embedding_learning_rate: factor on the learning rate for the embedding tables (0 freezes them).
        warmup: share of the steps in which the rate rises linearly; schedule: what follows.
        temperature: of multi-task sampling; task i is drawn in proportion to size_i ** (1 / temperature).
        evaluate_every: steps between dev evaluations; 0 evaluates once, at the end.
        keep: parameters of the best dev evaluation, or the last ones. It never changes the length.
        checkpoint_every: steps between resumable checkpoints.
    """

    steps: int | None = None
    epochs: float = 3.0
    batch_size: int = 32
    accumulate: int = 1
    learning_rates: tuple[float, ...] = (2e-5,)
    embedding_learning_rate: float = 1.0
    warmup: float = 0.1
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-6
    dropout: bool = True
    max_length: int = 128
    packed: bool = True
    temperature: float = 1.0
    evaluate_every: int = 0
    keep: Literal["best", "last"] = "best"
    checkpoint_every: int = 1000


@dataclasses.dataclass(frozen=True)
class LanguageModel:
    """A language-model stage: masked (BERT, RoBERTa) or permuted (XLNet), on text and on parallel pairs.

    Attributes:
        masking: share of tokens predicted. whole_words: mask whole words (masked objective only).
        translation_share: share of examples that are a concatenated parallel pair (translation LM).
        initial_embeddings: "parallel" sets the embedding table from co-occurrence within parallel tuples
            (PPMI, randomised SVD) before the first step; only for encoders made here.
        recipe: packed rows of `recipe.max_length` tokens; `learning_rates` has one entry.
    """

    recipe: Recipe = Recipe(steps=600, learning_rates=(1e-3,), max_length=64)
    masking: float = 0.15
    whole_words: bool = False
    translation_share: float = 0.0
    initial_embeddings: Literal["random", "parallel"] = "random"


@dataclasses.dataclass(frozen=True)
class Corpus:
    """Parallel or monolingual text for language-model stages.

    Attributes:
        source: a parallel source ("embedded", "tatoeba", "stsb_multi_mt", ...) or "task:NAME", the texts of a task's
            training rows; tuples: at most this many parallel tuples (or rows) are used, chosen by a stable hash.
        languages: those to read; empty means the study's.
    """

    source: str
    tuples: int | None = None
    languages: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class EncoderSpec:
    """An encoder under study: read from a checkpoint, or made here and pretrained on `corpus`.

    Attributes:
        checkpoint: a Hugging Face directory or hub id, or a directory of ours; None makes one of the sizes below.
        tokenizer: a directory of tokenizer files or a hub id; None takes the checkpoint's, or trains one on `corpus`.
        pooling, pair_features: of the heads; "pretrained" is Hugging Face's head of the family.
        attention_dropout: of attention probabilities; None is the checkpoint's, or 0.1. With 0 every stage can train
            with a fused attention kernel (XLNet has one rate for all its dropout, and none of these kernels).
        seed: of initialisation and pretraining.
    """

    name: str
    family: str
    checkpoint: str | None = None
    tokenizer: str | None = None
    layers: int = 2
    width: int = 64
    heads: int = 2
    feed_forward: int = 256
    vocabulary_size: int = 3000
    max_positions: int = 512
    corpus: tuple[Corpus, ...] = ()
    pretraining: LanguageModel | None = None
    pooling: Literal["pretrained", "cls", "mean", "max_mean"] = "pretrained"
    pair_features: bool = False
    seed: int = 0
    attention_dropout: float | None = dataclasses.field(default=None, metadata=LATER)


@dataclasses.dataclass(frozen=True)
class Target:
    """A target task with its intermediate task(s) and recipes.

    Splits are published split names, or slices of one: "dev[0%:70%]" (rows in the order of a stable hash of their
    item id, so that translations of a row stay together).

    Attributes:
        train: the task of the target stage, in its source language.
        evaluate: tasks to evaluate on; empty means `train`. They share its label space; a task of another domain
            measures domain shift.
        intermediate: the task of `itt`, `shuffled_itt` (the first) and `multitask_itt` (all).
        train_rows, intermediate_rows: at most this many rows, chosen by a stable hash of the item id.
        domain_text, general_text: tasks whose training texts `dapt` and its control model.
        languages: evaluation languages; empty means the study's.
    """

    name: str
    train: str
    intermediate: tuple[str, ...]
    recipe: Recipe
    intermediate_recipe: Recipe
    evaluate: tuple[str, ...] = ()
    train_split: str = "train"
    dev_split: str = "dev"
    test_split: str = "test"
    intermediate_split: str = "train"
    intermediate_dev_split: str = "dev"
    train_rows: int | None = None
    intermediate_rows: int | None = None
    dev_rows: int | None = None
    domain_text: tuple[str, ...] = ()
    general_text: tuple[str, ...] = ()
    adaptation: LanguageModel | None = None
    languages: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class StandIn:
    """What trains in the place of a catalogued task whose training rows are not at hand; every table says so.

    Attributes:
        absent: the task that a recipe names. task, train_split, dev_split: what stands in.
    """

    absent: str
    task: str
    train_split: str = "train"
    dev_split: str = "dev"


@dataclasses.dataclass(frozen=True)
class Perturbation:
    """An operator with the severities and the number of replicates to evaluate.

    Attributes:
        name: of an operator, or several joined by "+", applied in this order.
        lexicon: a file for an operator that reads one (see `perturb.read_lexicon`); "{language}" in it stands for the
            language of the rows, and a language without such a file is left out.
    """

    name: str
    severities: tuple[float, ...] = (0.1,)
    replicates: int = 1
    lexicon: str | None = None

    def lexicon_of(self, language: str) -> str | None:
        """The lexicon for a language."""
        return None if self.lexicon is None else self.lexicon.replace("{language}", language)


@dataclasses.dataclass(frozen=True)
class Study:
    """The axes of the grid and the recipes.

    Attributes:
        active_targets: names of the targets to run; empty means all.
        tasks: the study's own tasks (`itt_jax.tasks.Task`), besides the catalogue.
        languages: evaluation languages; empty means every language of each task. A task is evaluated in those of
            them that it has; a target that has none of them is an error.
        evaluation_rows: at most this many rows a language, the same items in each.
        smallest_effect: the smallest effect of interest of the primary family (0.02 is two points of accuracy).
        allow_seen: evaluate on text that a given checkpoint has seen in training (the report says so).
        max_length: of evaluation examples, in tokens.
        stand_ins: for training rows that are not at hand. Without one, a target whose catalogued training, intermediate
            or evaluation rows are absent is left out, and the plan says so.
    """

    name: str
    encoders: tuple[EncoderSpec, ...]
    targets: tuple[Target, ...]
    arms: tuple[str | Arm, ...] = ("direct", "itt", "matched_steps")
    perturbations: tuple[Perturbation, ...] = ()
    seeds: tuple[int, ...] = (0, 1, 2)
    description: str = ""
    active_targets: tuple[str, ...] = ()
    tasks: tuple[Task, ...] = ()
    languages: tuple[str, ...] = ()
    evaluation_rows: int | None = None
    max_length: int = 128
    noise_seed: int = 0
    smallest_effect: float = 0.02
    allow_seen: bool = False
    stand_ins: tuple[StandIn, ...] = ()

    def running_targets(self) -> tuple[Target, ...]:
        """The targets to run, in the study's order."""
        return tuple(t for t in self.targets if not self.active_targets or t.name in self.active_targets)


def load(path: str | pathlib.Path, overrides: Sequence[str] = ()) -> Study:
    """The study that a Python file defines as `study`, with `--set` overrides applied, validated.

    `study` is a Study, or a function that makes one from keyword arguments with defaults; an override whose path is the
    name of such an argument ("small=True") is given to it.

    Raises:
        InputError: the file is missing, fails, defines no Study, or a field or override is wrong.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise InputError(f"config {path}: no such file")
    try:
        study = runpy.run_path(str(path)).get("study")
    except InputError:
        raise
    except Exception as error:  # whatever the user's file raises is the user's error
        line = next(
            (f.lineno for f in reversed(traceback.extract_tb(error.__traceback__)) if f.filename == str(path)), 0
        )
        line = getattr(error, "lineno", None) or line
        raise InputError(f"config {path}, line {line}: {type(error).__name__}: {error}") from error
    if inspect.isfunction(study):
        arguments = inspect.signature(study).parameters
        given = dict(_parsed(override) for override in overrides if override.partition("=")[0] in arguments)
        for name, value in given.items():
            kind = type(arguments[name].default)
            _require(type(value) is kind, f"--set {name}: expected a {kind.__name__}, found {value!r}")
        overrides = [override for override in overrides if override.partition("=")[0] not in arguments]
        study = study(**given)
    if not isinstance(study, Study):
        raise InputError(f"config {path}: expected a variable 'study' of type Study, found {type(study).__name__}")
    for override in overrides:
        study = override_field(study, override)
    validate(study)
    return study


def override_field(study: Study, override: str) -> Study:
    """The study with one "path=value" applied.

    A path walks fields by name and tuples by index or by the `name` of an element ("encoders.bert.layers=4",
    "targets.0.recipe.steps=100"); the value is a Python literal, or else a plain string. A scalar for a tuple field
    becomes a tuple of one.
    """
    path, value = _parsed(override)
    return _replaced(study, path.split("."), value, path)


def _parsed(override: str) -> tuple[str, Any]:
    """Path and value of one override."""
    path, equals, text = override.partition("=")
    if not equals or not path:
        raise InputError(f"--set {override!r}: expected PATH=VALUE, such as seeds=[0,1]")
    try:
        return path, ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return path, text


def _replaced(node: Any, keys: list[str], value: Any, path: str) -> Any:
    if not keys:
        return value
    key, rest = keys[0], keys[1:]
    if dataclasses.is_dataclass(node):
        fields = {field.name: field for field in dataclasses.fields(node)}
        if key not in fields:
            raise unknown(f"field in --set {path}:", key, fields)
        new = _replaced(getattr(node, key), rest, value, path)
        if not rest:
            if isinstance(getattr(node, key), tuple) and not isinstance(new, list | tuple):
                new = (new,)
            new = _checked(type(node), key, new, f"--set {path}")
        return dataclasses.replace(node, **{key: new})
    if isinstance(node, tuple):
        names = [getattr(element, "name", str(i)) for i, element in enumerate(node)]
        index = names.index(key) if key in names else int(key) if key.isdigit() and int(key) < len(node) else None
        if index is None:
            raise unknown(f"element in --set {path}:", key, names)
        return (*node[:index], _replaced(node[index], rest, value, path), *node[index + 1 :])
    raise InputError(f"--set {path}: {key!r} is looked for in a plain value, {node!r}")


@functools.cache
def _adapter(owner: type, field: str) -> pydantic.TypeAdapter:
    return pydantic.TypeAdapter(typing.get_type_hints(owner)[field])


def _checked(owner: type, field: str, value: Any, where: str) -> Any:
    """`value` as the annotation of `owner.field` demands it (a list becomes a tuple), or an InputError."""
    try:
        return _adapter(owner, field).validate_python(value)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"] if isinstance(part, int))
        raise InputError(
            f"{where}{'[' + place + ']' if place else ''}: {first['msg']}, found {first['input']!r}"
        ) from error


def validate(node: Any, where: str = "study") -> None:
    """Check every field of a dataclass tree against its annotation, and the values that types do not cover."""
    for field in dataclasses.fields(node):
        value = getattr(node, field.name)
        _checked(type(node), field.name, value, f"{where}.{field.name}")
        for i, child in enumerate(value if isinstance(value, tuple) else (value,)):
            if dataclasses.is_dataclass(child) and not isinstance(child, type):
                label = getattr(child, "name", i)
                validate(child, f"{where}.{field.name}" + (f".{label}" if isinstance(value, tuple) else ""))
    _RULES.get(type(node), lambda node, where: None)(node, where)


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise InputError(message)


def _check_recipe(recipe: Recipe, where: str) -> None:
    for name in ("batch_size", "accumulate", "max_length", "checkpoint_every"):
        _require(getattr(recipe, name) >= 1, f"{where}.{name}: expected at least 1, found {getattr(recipe, name)}")
    _require(
        recipe.batch_size % recipe.accumulate == 0,
        f"{where}.accumulate: expected a divisor of batch_size={recipe.batch_size}, found {recipe.accumulate}",
    )
    steps, rates = recipe.steps, recipe.learning_rates
    _require(steps is None or steps >= 1, f"{where}.steps: expected at least 1, found {steps}")
    _require(recipe.epochs > 0, f"{where}.epochs: expected more than 0, found {recipe.epochs}")
    _require(bool(rates) and min(rates) > 0, f"{where}.learning_rates: expected positive numbers, found {rates}")
    _require(0 <= recipe.warmup < 1, f"{where}.warmup: expected a share in [0, 1), found {recipe.warmup}")
    _require(recipe.temperature > 0, f"{where}.temperature: expected more than 0, found {recipe.temperature}")


def _check_language_model(settings: LanguageModel, where: str) -> None:
    _require(0 < settings.masking < 1, f"{where}.masking: expected a share in (0, 1), found {settings.masking}")
    share = settings.translation_share
    _require(0 <= share <= 1, f"{where}.translation_share: expected a share in [0, 1], found {share}")


def _check_encoder(spec: EncoderSpec, where: str) -> None:
    made = spec.checkpoint is None
    _require(
        spec.width % spec.heads == 0, f"{where}.heads: expected a divisor of width={spec.width}, found {spec.heads}"
    )
    _require(
        not made or spec.pretraining is not None or spec.tokenizer is not None or bool(spec.corpus),
        f"{where}: without a checkpoint it needs a corpus (to train its tokenizer on) or a tokenizer",
    )
    _require(spec.pretraining is None or bool(spec.corpus), f"{where}.corpus: pretraining needs at least one Corpus")
    _require(
        not spec.pair_features or spec.pooling in ("mean", "max_mean"),
        f"{where}.pair_features: needs pooling 'mean' or 'max_mean', found {spec.pooling!r}",
    )
    rate = spec.attention_dropout
    _require(rate is None or 0 <= rate < 1, f"{where}.attention_dropout: expected a rate in [0, 1), found {rate}")
    own_rate = "attention_dropout" in families.family(spec.family).fields
    _require(rate is None or own_rate, f"{where}.attention_dropout: {spec.family} has one rate for all dropout")


def _check_perturbation(perturbation: Perturbation, where: str) -> None:
    _require(bool(perturbation.severities), f"{where}.severities: expected at least one")
    _require(perturbation.replicates >= 1, f"{where}.replicates: expected at least 1, found {perturbation.replicates}")
    _require(
        min(perturbation.severities, default=1) > 0,
        f"{where}.severities: expected more than 0 (clean text is always evaluated), found {perturbation.severities}",
    )


def _check_study(study: Study, where: str) -> None:
    for name in ("encoders", "targets", "arms", "seeds"):
        values = getattr(study, name)
        _require(bool(values), f"{where}.{name}: expected at least one")
        names = [getattr(value, "name", value) for value in values]
        _require(len(set(names)) == len(names), f"{where}.{name}: a name occurs twice in {names}")
    arms.check(study.arms, f"{where}.arms")
    for name in study.active_targets:
        if name not in (known := [target.name for target in study.targets]):
            raise unknown(f"target in {where}.active_targets:", name, known)


_RULES = {
    Recipe: _check_recipe,
    LanguageModel: _check_language_model,
    EncoderSpec: _check_encoder,
    Perturbation: _check_perturbation,
    Study: _check_study,
}


def canonical(value: Any) -> Any:
    """`value` as JSON-able data with a fixed order: what ids are made of."""
    if dataclasses.is_dataclass(value):
        fields = {
            field.name: canonical(getattr(value, field.name))
            for field in dataclasses.fields(value)
            if not (field.metadata.get("later") and getattr(value, field.name) == field.default)
        }
        return {"type": type(value).__name__, **fields}
    if isinstance(value, Mapping):
        return {str(key): canonical(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, list | tuple):
        return [canonical(element) for element in value]
    if isinstance(value, pathlib.PurePath):
        return str(value)
    return value


def content_id(value: Any) -> str:
    """A 16-digit hexadecimal name for everything in `value`."""
    text = json.dumps(canonical(value), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
