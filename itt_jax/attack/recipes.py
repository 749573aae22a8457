"""Recipes: one row each, in one tuple. A new recipe is a row of `ATTACKS`."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from itt_jax.attack.asking import Ascent
from itt_jax.attack.attack import Attack
from itt_jax.attack.candidates import (
    Alphabet,
    FromLexicon,
    Imperceptible,
    MaskedLM,
    Operators,
    TokenFlips,
    Triggers,
    WordSwaps,
)
from itt_jax.attack.constraints import LongWords, NoStopWords, OwnLetters, Similar, WithinEdits, WordsChanged
from itt_jax.attack.goals import MARGIN, SHIFT, UNTARGETED
from itt_jax.attack.search.ascent import EmbeddingAscent
from itt_jax.attack.search.beam import Beam
from itt_jax.attack.search.charmer import Charmer
from itt_jax.attack.search.draws import RandomWords, WorstOf
from itt_jax.attack.search.evolution import Evolution
from itt_jax.attack.search.greedy import GreedyWords
from itt_jax.attack.search.hotflip import HotFlip
from itt_jax.attack.search.trigger import Prefix
from itt_jax.errors import InputError, unknown
from itt_jax.perturb.operator import BAD_CHARACTERS

FOUR_EDITS = ("swap", "substitute", "delete", "insert")
ATTACKS: tuple[Attack, ...] = (
    Attack(
        "charmer",
        Charmer(),
        Alphabet(),
        (OwnLetters(),),
        goals=(MARGIN,),
        summary="up to 10 character edits: the 20 most sensitive places, every character of the data at each",
        reference="Abad Rocamora et al. 2024, Charmer (arXiv 2405.04346), brute-force form",
    ),
    Attack(
        "deepwordbug",
        GreedyWords("unknown"),
        WordSwaps(FOUR_EDITS),
        (NoStopWords(), WithinEdits(30)),
        summary="one drawn swap, substitution, deletion or insertion in words, the most important first",
        reference="Gao et al. 2018, DeepWordBug (arXiv 1801.04354), as in TextAttack",
    ),
    Attack(
        "pruthi",
        Beam(1),
        WordSwaps(("swap", "delete", "insert", "keyboard"), every=True, inner=True),
        (LongWords(4), NoStopWords(), WordsChanged(1)),
        summary="one edit inside one word: the worst of all swaps, deletions, insertions and adjacent keys",
        reference="Pruthi et al. 2019 (arXiv 1905.11268), as in TextAttack",
    ),
    Attack(
        "textbugger",
        GreedyWords("delete"),
        WordSwaps(("space", "delete", "swap", "homoglyph"), inner=True),
        (NoStopWords(),),
        summary="a space, deletion, swap or look-alike in words, the most important first (its part by characters)",
        reference="Li et al. 2018, TextBugger (arXiv 1812.05271), as in TextAttack, without word vectors",
    ),
    Attack(
        "textfooler",
        GreedyWords("delete"),
        FromLexicon("synonyms"),
        (NoStopWords(),),
        summary="synonyms of a lexicon in words, the most important first (--lexicon for more than the built-in ones)",
        reference="Jin et al. 2020, TextFooler (arXiv 1907.11932): its search, with a lexicon for its word vectors",
    ),
    Attack(
        "bert_attack",
        GreedyWords("unknown"),
        MaskedLM(),
        (NoStopWords(), WordsChanged(share=0.4)),
        summary="words that a masked LM (--proposer) finds likely, in up to 40 % of words, the most important first",
        reference="Li et al. 2020, BERT-Attack (arXiv 2004.09984), as in TextAttack, without a sentence encoder",
    ),
    Attack(
        "code_mixing",
        Beam(5),
        FromLexicon("translations"),
        summary="words in other languages, by dictionaries (--lexicon for more than the built-in ones); beam of 5",
        reference="Tan and Joty 2021, PolyGloss (arXiv 2103.09593), by words",
    ),
    Attack(
        "bad_characters",
        Evolution(),
        Imperceptible(),
        summary="up to 5 invisible characters, look-alikes, reversed pairs or deletions, by differential evolution",
        reference=BAD_CHARACTERS,
    ),
    Attack(
        "hotflip",
        HotFlip(),
        TokenFlips(),
        goals=(UNTARGETED,),
        summary="up to 2 tokens flipped, chosen by gradient; beam of 10",
        reference="Ebrahimi et al. 2018, HotFlip (arXiv 1712.06751), on the model's own tokens",
    ),
    Attack(
        "fgsm",
        EmbeddingAscent(Ascent("linf", steps=1, step_size=1.0, radius=1.0), edits=4),
        TokenFlips(),
        goals=(UNTARGETED,),
        summary="up to 4 tokens replaced by the nearest to embeddings moved along the sign of the gradient",
        reference="Goodfellow et al. 2015, FGSM (arXiv 1412.6572); projected to tokens as in arXiv 1801.07175",
    ),
    Attack(
        "pgd",
        EmbeddingAscent(Ascent("l2", steps=10, step_size=0.25, radius=1.0), edits=4),
        TokenFlips(),
        goals=(UNTARGETED,),
        summary="up to 4 tokens replaced by the nearest to embeddings of 10 steps of projected gradient ascent",
        reference="Madry et al. 2018, PGD (arXiv 1706.06083); projected to tokens as in arXiv 1801.07175",
    ),
    Attack(
        "universal_triggers",
        Prefix(),
        Triggers(),
        goals=(UNTARGETED,),
        summary="3 words before every text of a class, the same for all, chosen by gradient",
        reference="Wallace et al. 2019, Universal Adversarial Triggers (arXiv 1908.07125)",
    ),
    Attack(
        "worst_of",
        WorstOf(),
        Operators(),
        summary="the worst of all draws of perturbation operators on the whole text",
        reference="the sampling of arXiv 2303.15127, as an attack",
    ),
    Attack(
        "greedy_operators",
        GreedyWords("unknown"),
        Operators(severity=0.5, draws=4, makes="words"),
        (NoStopWords(), WithinEdits(30)),
        summary="draws of perturbation operators on words, the most important first",
        reference="DeepWordBug's search with the operators of this project",
    ),
    Attack(
        "random",
        RandomWords(),
        WordSwaps(FOUR_EDITS),
        (NoStopWords(), WithinEdits(30)),
        summary="baseline: DeepWordBug's edits in drawn words",
        reference="a control for the number of queries",
    ),
)


def adapted(
    attack: Attack,
    budget: int | None = None,
    edits: int | None = None,
    operators: Sequence[str] = (),
    severity: float | None = None,
    draws: int | None = None,
    lexicon: str | None = None,
    proposer: str | None = None,
    shift: float | None = None,
    similarity: str | None = None,
    least_similarity: float | None = None,
) -> Attack:
    """The recipe with other settings, named like the options of the command `attack`.

    Args:
        budget: queries a row. edits: for searches that count them. operators, severity, draws: for recipes with
            perturbation operators. lexicon, proposer: for recipes that take words from one.
        shift: distance by which to move a score. similarity: checkpoint of the encoder that compares texts with the
            clean one.
        least_similarity: minimum cosine; None only measures.

    Raises:
        InputError: a setting that the recipe does not have, or a wrong value.
    """
    candidates, search = attack.candidates, attack.search
    for name, value in (("operators", tuple(operators) or None), ("severity", severity), ("draws", draws)):
        candidates = _with(attack, candidates, "candidates", name, value)
    candidates = _with(attack, candidates, "candidates", "lexicon", lexicon)
    candidates = _with(attack, candidates, "candidates", "proposer", proposer)
    if edits is not None and edits < 1:
        raise InputError(f"--edits: found {edits}, expected at least 1")
    search = _with(attack, search, "search", "edits", edits)
    if shift is not None and not (0 < shift < math.inf):
        raise InputError(f"--shift: found {shift}, expected a number above 0")
    goals = attack.goals if shift is None else (dataclasses.replace(SHIFT, by=shift), *attack.goals)
    budget, constraints = attack.budget if budget is None else budget, attack.constraints
    if similarity is not None:
        least = -1.0 if least_similarity is None else least_similarity
        constraints = (*constraints, Similar(similarity, least))  # last, as it costs most
    elif least_similarity is not None:
        raise InputError("--least-similarity goes with --similarity")
    parts = {"candidates": candidates, "search": search, "constraints": constraints}
    return dataclasses.replace(attack, goals=goals, budget=budget, **parts)


def _with(attack: Attack, part: Any, role: str, name: str, value: Any) -> Any:
    """The attack with another value for a field of one of its parts, unless the value is None."""
    if value is None:
        return part
    if not hasattr(part, name):
        fitting = ", ".join(own.name for own in ATTACKS if hasattr(getattr(own, role), name))
        raise InputError(f"--{name} does not go with recipe {attack.name!r}; expected {fitting}")
    return dataclasses.replace(part, **{name: value})


def get(name: str, own: tuple[Attack, ...] = ()) -> Attack:
    """The attack with this name; those of a config (`own`) take precedence.

    Raises:
        InputError: there is none; the message names the nearest.
    """
    known = (*own, *ATTACKS)
    found = next((attack for attack in known if attack.name == name), None)
    if found is None:
        raise unknown("recipe", name, [attack.name for attack in known])
    return found
