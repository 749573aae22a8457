"""Checks of a study: every field against its annotation, and the values that annotations do not cover."""

import dataclasses
import functools
import itertools
import math
import typing
import unicodedata
from collections.abc import Callable
from typing import Any

import pydantic

from itt_jax import families
from itt_jax.config.study import Adversary, Claim, EncoderSpec, LanguageModel, Perturbation, Recipe, Stopping, Study
from itt_jax.errors import InputError, unknown
from itt_jax.study import arms

MOST_NAME = 100  # characters
LEAST_LENGTH = 8
"""Minimum number of tokens of an example, so that special tokens leave room for two texts."""
DIRECTIONS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Marks that reorder the text around them: embeddings, overrides and isolates."""


def validate(node: Any, where: str = "study") -> None:
    """Check a tree of dataclasses.

    Raises:
        InputError: a wrong value; the message begins with the path of its field.
    """
    for field in dataclasses.fields(node):
        value = getattr(node, field.name)
        checked(type(node), field.name, value, f"{where}.{field.name}")
        for i, child in enumerate(value if isinstance(value, tuple) else (value,)):
            if dataclasses.is_dataclass(child) and not isinstance(child, type):
                label = getattr(child, "name", i)
                validate(child, f"{where}.{field.name}" + (f".{label}" if isinstance(value, tuple) else ""))
    if isinstance(name := getattr(node, "name", None), str):
        _check_name(name, f"{where}.name")
    _CHECKS.get(type(node), lambda node, where: None)(node, where)


@functools.cache
def _adapter(owner: type, field: str) -> pydantic.TypeAdapter:
    return pydantic.TypeAdapter(typing.get_type_hints(owner)[field])


def checked(owner: type, field: str, value: Any, where: str) -> Any:
    """`value` as the annotation of `owner.field` requires it: a list becomes a tuple, and nothing else is converted.

    Raises:
        InputError: it does not fit; the message begins with `where`.
    """
    try:
        return _adapter(owner, field).validate_python(_with_tuples(value), strict=True)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"] if isinstance(part, int))
        raise InputError(
            f"{where}{'[' + place + ']' if place else ''}: {first['msg']}, found {first['input']!r}"
        ) from error


def _with_tuples(value: Any) -> Any:
    return tuple(map(_with_tuples, value)) if isinstance(value, list | tuple) else value


def require(condition: bool, message: str) -> None:
    """Raises InputError with `message` unless the condition holds."""
    if not condition:
        raise InputError(message)


def check_least_length(length: int, where: str) -> None:
    """Raises InputError if examples of `length` tokens may have no room for text besides their special tokens."""
    require(length >= LEAST_LENGTH, f"{where}: expected at least {LEAST_LENGTH} tokens, found {length}")


def _check_name(name: str, where: str) -> None:
    """Names are shown in tables, lines and figures; characters that break these are refused."""
    require(bool(name.strip()), f"{where}: expected a name, found {name!r}")
    require(len(name) <= MOST_NAME, f"{where}: expected at most {MOST_NAME} characters, found {len(name)}")
    require(name not in (".", ".."), f"{where}: expected a name, found {name!r}")
    for character in name:
        broken = unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in DIRECTIONS
        require(not broken, f"{where}: holds U+{ord(character):04X}, which no table can show; found {name!r}")


def _check_recipe(recipe: Recipe, where: str) -> None:
    for name in ("batch_size", "accumulate", "max_length", "checkpoint_every"):
        require(getattr(recipe, name) >= 1, f"{where}.{name}: expected at least 1, found {getattr(recipe, name)}")
    require(
        recipe.batch_size % recipe.accumulate == 0,
        f"{where}.accumulate: expected a divisor of batch_size={recipe.batch_size}, found {recipe.accumulate}",
    )
    steps, rates = recipe.steps, recipe.learning_rates
    require(steps is None or steps >= 1, f"{where}.steps: expected at least 1, found {steps}")
    require(recipe.epochs > 0, f"{where}.epochs: expected more than 0, found {recipe.epochs}")
    require(bool(rates) and min(rates) > 0, f"{where}.learning_rates: expected positive numbers, found {rates}")
    require(0 <= recipe.warmup < 1, f"{where}.warmup: expected a share in [0, 1), found {recipe.warmup}")
    check_least_length(recipe.max_length, f"{where}.max_length")
    for name in ("embedding_learning_rate", "weight_decay", "evaluate_every"):
        require(getattr(recipe, name) >= 0, f"{where}.{name}: expected at least 0, found {getattr(recipe, name)}")
    for name in ("clip_norm", "epsilon"):
        require(getattr(recipe, name) > 0, f"{where}.{name}: expected more than 0, found {getattr(recipe, name)}")
    for name in ("beta1", "beta2"):
        require(0 <= getattr(recipe, name) < 1, f"{where}.{name}: expected in [0, 1), found {getattr(recipe, name)}")
    for name in ("epochs", "clip_norm", "weight_decay", "embedding_learning_rate", "temperature"):
        require(math.isfinite(getattr(recipe, name)), f"{where}.{name}: expected a finite number")
    require(recipe.temperature > 0, f"{where}.temperature: expected more than 0, found {recipe.temperature}")


def _check_language_model(settings: LanguageModel, where: str) -> None:
    require(0 < settings.masking < 1, f"{where}.masking: expected a share in (0, 1), found {settings.masking}")
    share = settings.translation_share
    require(0 <= share <= 1, f"{where}.translation_share: expected a share in [0, 1], found {share}")


def _check_encoder(spec: EncoderSpec, where: str) -> None:
    known = [family.name for family in families.FAMILIES]
    if spec.family not in known:
        raise unknown(f"family in {where}.family:", spec.family, known)
    require(
        spec.width % spec.heads == 0, f"{where}.heads: expected a divisor of width={spec.width}, found {spec.heads}"
    )
    require(
        spec.checkpoint is not None or spec.tokenizer is not None or bool(spec.corpus),
        f"{where}: without a checkpoint it needs a corpus (to train its tokenizer on) or a tokenizer",
    )
    require(spec.pretraining is None or bool(spec.corpus), f"{where}.corpus: pretraining needs at least one Corpus")
    require(
        not spec.pair_features or spec.pooling in ("mean", "max_mean"),
        f"{where}.pair_features: needs pooling 'mean' or 'max_mean', found {spec.pooling!r}",
    )
    rate, own = spec.attention_dropout, "attention_dropout" in families.family(spec.family).fields
    require(rate is None or 0 <= rate < 1, f"{where}.attention_dropout: expected a rate in [0, 1), found {rate}")
    require(spec.seed >= 0, f"{where}.seed: expected at least 0, found {spec.seed}")
    require(rate is None or own, f"{where}.attention_dropout: {spec.family} has one rate for all dropout")
    kept = spec.first_layers
    require(kept is None or kept >= 1, f"{where}.first_layers: expected at least 1, found {kept}")
    require(
        kept is None or spec.checkpoint is not None,
        f"{where}.first_layers: applies only to a checkpoint; an encoder made here has `layers` layers",
    )


def _check_perturbation(perturbation: Perturbation, where: str) -> None:
    require(bool(perturbation.severities), f"{where}.severities: expected at least one")
    require(perturbation.replicates >= 1, f"{where}.replicates: expected at least 1, found {perturbation.replicates}")
    require(
        all(0 <= severity <= 1 for severity in perturbation.severities),
        f"{where}.severities: expected numbers from 0 to 1, found {perturbation.severities}",
    )


def _check_adversary(adversary: Adversary, where: str) -> None:
    """Settings are checked with their recipe when a study is planned."""
    for name in ("budget", "rows"):
        value = getattr(adversary, name)
        require(value is None or value >= 1, f"{where}.{name}: expected at least 1, found {value}")
    reserved = adversary.name in ("clean", "all")
    require(not reserved, f"{where}.name: {adversary.name!r} names clean text or all operators; choose another")


def _check_stopping(stopping: Stopping, where: str) -> None:
    looks = stopping.looks
    increasing = all(first < second for first, second in itertools.pairwise(looks))
    require(
        bool(looks) and min(looks) >= 2 and increasing,
        f"{where}.looks: expected increasing numbers of seeds from 2 on, found {looks}",
    )


def _check_claim(claim: Claim, where: str) -> None:
    require(claim.better != claim.worse, f"{where}.worse: expected another name than better={claim.better!r}")
    found = len(claim.published)
    require(found in (0, 2), f"{where}.published: expected the scores of better and worse, found {found} numbers")
    require(claim.bound is None or claim.bound > 0, f"{where}.bound: expected more than 0, found {claim.bound}")
    given = "encoders" if claim.between == "encoders" else "arms"
    require(
        not getattr(claim, given),
        f"{where}.{given}: expected none; a claim between {given} names them in better and worse",
    )
    one_set = given == "arms" or claim.quantity == "score"  # which groups have signal differs between encoders
    require(one_set, f"{where}.quantity: encoders are compared by their score, found {claim.quantity!r}")
    if claim.quantity == "robustness":
        require(claim.perturbation != "clean", f"{where}.perturbation: robustness needs an operator or 'all'")


def _check_claims(study: Study, where: str) -> None:
    """Arms and operators may be absent from a study, whose claims about them are then not judged."""
    known = {
        "encoders": [spec.name for spec in study.encoders],
        "targets": [target.name for target in study.targets],
        "arms": [arm.name for arm in arms.known(study.arms)],
    }
    attacks = {adversary.name for adversary in study.attacks}
    for claim in study.claims:
        require(
            claim.quantity != "transfer" or claim.perturbation not in attacks,
            f"{where}.claims.{claim.name}.perturbation: found the attack {claim.perturbation!r}; transfer over domains "
            "is measured on clean or perturbed text",
        )
        named = {"targets": claim.targets, "encoders": claim.encoders, "arms": claim.arms}
        named[claim.between] = (claim.better, claim.worse)
        for kind, names in named.items():
            for name in names:
                if name not in known[kind]:
                    raise unknown(f"{kind} in {where}.claims.{claim.name}:", name, known[kind])


def _check_study(study: Study, where: str) -> None:
    for name in ("encoders", "targets", "arms", "seeds", "claims", "attacks"):
        values = getattr(study, name)
        require(bool(values) or name in ("claims", "attacks"), f"{where}.{name}: expected at least one")
        names = [getattr(value, "name", value) for value in values]
        require(len(set(names)) == len(names), f"{where}.{name}: a name occurs twice in {names}")
    require(min(study.seeds) >= 0, f"{where}.seeds: expected at least 0, found {study.seeds}")
    rows = study.evaluation_rows
    require(rows is None or rows >= 1, f"{where}.evaluation_rows: expected at least 1, found {rows}")
    check_least_length(study.max_length, f"{where}.max_length")
    require(not set(study.name) & set("/\\"), f"{where}.name: it names a folder, so no / or \\; found {study.name!r}")
    arms.check(study.arms, f"{where}.arms")
    forms = [(own.name, severity) for own in study.perturbations for severity in own.severities]
    twice = next((form for form in forms if forms.count(form) > 1), None)
    require(twice is None, f"{where}.perturbations: an operator is listed twice at one severity, {twice}")
    _check_claims(study, where)
    for name in study.active_targets:
        if name not in (known := [target.name for target in study.targets]):
            raise unknown(f"target in {where}.active_targets:", name, known)


_CHECKS: dict[type, Callable[[Any, str], None]] = {
    Adversary: _check_adversary,
    Recipe: _check_recipe,
    LanguageModel: _check_language_model,
    EncoderSpec: _check_encoder,
    Perturbation: _check_perturbation,
    Stopping: _check_stopping,
    Claim: _check_claim,
    Study: _check_study,
}
