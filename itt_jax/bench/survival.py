"""Share of single edits that survive a tokenizer's normaliser."""

import itertools
from typing import Any

import numpy as np

from itt_jax.bench import Request
from itt_jax.bench.material import Sentences
from itt_jax.bench.tokens import NO_TOKENIZERS, folder
from itt_jax.data.tokenizing import load_tokenizer
from itt_jax.perturb import CATALOG, variants
from itt_jax.ragged import Ragged

TOKENIZERS = (
    "bert-base-uncased",
    "bert-base-cased",
    "bert-base-multilingual-cased",
    "roberta-base",
    "xlnet-base-cased",
    "xlm-roberta-base",
)
SEVERITIES = (0.01, 0.03, 0.1, 0.3, 1.0)  # a text is counted at the first severity that edits it exactly once
SHARE = 0.02  # share of the sentences of each language that is tried
SEEDS = range(3)


def survival(request: Request, material: Sentences) -> list[dict] | str:
    """For every operator, the number of single edits and, by tokenizer, the share after which the token ids differ."""
    found = folder(request)
    if found is None:
        return NO_TOKENIZERS
    pairs = {name: single_edits(name, material) for name in CATALOG}
    rows: list[dict[str, Any]] = [
        {"operator": name, "edits": len(pairs[name]), "share": {}} for name in CATALOG if pairs[name]
    ]
    clean = list(dict.fromkeys(old for edits in pairs.values() for old, _ in edits))
    place = {text: k for k, text in enumerate(clean)}
    for directory in TOKENIZERS:
        tokenizer = load_tokenizer(found / directory)
        before = tokenizer.encode_whole(clean)
        after = tokenizer.encode_whole([new for row in rows for _, new in pairs[row["operator"]]])
        index = itertools.count()
        for row in rows:
            differs = [differ(before, place[old], after, next(index)) for old, _ in pairs[row["operator"]]]
            row["share"][directory] = float(np.mean(differs))
    return rows


def differ(before: Ragged, i: int, after: Ragged, k: int) -> bool:
    """Whether text i of `before` has other ids than text k of `after`."""
    return not np.array_equal(before[i], after[k])


def single_edits(name: str, material: Sentences) -> list[tuple[str, str]]:
    """Sentences with exactly one edit: (clean, perturbed)."""
    found = []
    among = [language for language in material.sentences if language in CATALOG[name].languages]
    for language, texts in material.head(among, SHARE).items():
        for seed in SEEDS:
            waiting = np.arange(len(texts))
            for severity in SEVERITIES:
                tried = [texts[i] for i in waiting]
                ids = [str(i + 1) for i in waiting]
                (variant,) = variants(tried, name, [severity], language, seed, ids=ids)
                once = variant.made == 1
                found += [(tried[k], variant.texts[k]) for k in np.flatnonzero(once)]
                waiting = waiting[~once]
    return found
