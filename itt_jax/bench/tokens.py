"""Token ids of perturbed text, compared with the ceiling set by the tokenizer alone and with nlpaug."""

import functools
import pathlib
import statistics
from collections.abc import Callable
from typing import Any

from itt_jax.bench import Request, peers
from itt_jax.bench.material import Sentences
from itt_jax.bench.measure import Timing, alternating
from itt_jax.data.chunks import cut
from itt_jax.data.tokenizer_settings import FILES
from itt_jax.data.tokenizing import Tokenizer, load_tokenizer
from itt_jax.data.vocabularies import read_vocabulary
from itt_jax.perturb import perturb

TOKENIZERS = ("bert-base-multilingual-cased", "xlm-roberta-base", "roberta-base")
OPERATORS = ("swap", "substitute")
NO_TOKENIZERS = "no data root was given, so there are no tokenizers"


def folder(request: Request) -> pathlib.Path | None:
    """The folder of tokenizers, or None without one."""
    found = request.data_root / "tokenizers" if request.data_root else None
    return found if found and found.is_dir() else None


def token_ids(request: Request, material: Sentences, severity: float, peer_share: float) -> list[dict] | str:
    """Sentences per second of the ceiling, ours and the peer, for each tokenizer and a few operators.

    The ceiling is the tokenizer alone on each distinct chunk that is not in the clean text.
    """
    found = folder(request)
    if found is None:
        return NO_TOKENIZERS
    return [
        one_tokenizer(found / name, operator, material, severity, peer_share, request.repeats)
        for name in TOKENIZERS
        for operator in OPERATORS
    ]


def one_tokenizer(
    directory: pathlib.Path, operator: str, material: Sentences, severity: float, peer_share: float, repeats: int
) -> dict:
    """One row; each repeat has its own noise seed and a chunk table that has seen only the clean text."""
    encode = reader(directory)
    ours: list[Timing] = []
    alone: list[Timing] = []
    forms = []
    for seed in range(repeats):
        tokenizer = load_tokenizer(directory)
        for language, texts in material.sentences.items():
            tokenizer.encode(texts, language)
        new = new_chunks(operator, material, severity, seed)
        forms.append(len(new))
        works: dict[str, Callable[[], object]] = {
            "alone": functools.partial(encode, new),
            "ours": functools.partial(to_ids, tokenizer, operator, material, severity, seed),
        }
        order = ("alone", "ours") if seed % 2 else ("ours", "alone")
        timings = alternating({name: works[name] for name in order}, 1)
        ours.append(timings["ours"])
        alone.append(timings["alone"])
    count = material.count
    row: dict[str, Any] = {"tokenizer": directory.name, "operator": operator}
    row["new_chunks_per_sentence"] = statistics.median(forms) / count
    row["forms_per_second"] = statistics.median(n / one.wall for n, one in zip(forms, alone, strict=True))
    row["ceiling"] = count / statistics.median(one.wall for one in alone)
    row["ours"] = count / statistics.median(one.wall for one in ours)
    row["ratio_ceiling"] = row["ours"] / row["ceiling"]
    row["ratio_ceiling_processor"] = statistics.median(one.processor for one in alone) / statistics.median(
        one.processor for one in ours
    )
    if peers.installed():
        row |= peer(encode, operator, material, severity, peer_share, repeats)
        row["ratio"] = row["ours"] / row["peer"]
    return row


def reader(directory: pathlib.Path) -> Callable[[list[str]], list[list[int]]]:
    """The tokenizer's own encode_batch, without our arrays."""
    files = {name: (directory / name).read_bytes() for name in FILES if (directory / name).is_file()}
    return read_vocabulary(files, str(directory)).encode


def to_ids(tokenizer: Tokenizer, operator: str, material: Sentences, severity: float, seed: int) -> None:
    """Perturb all texts and encode them: the work that is timed."""
    for language, texts in material.sentences.items():
        tokenizer.encode(perturb(texts, operator, severity, language, seed), language)


def new_chunks(operator: str, material: Sentences, severity: float, seed: int) -> list[str]:
    """The strings that the tokenizer must encode: chunks that are not in the clean text."""
    perturbed = [
        text
        for language, texts in material.sentences.items()
        for text in perturb(texts, operator, severity, language, seed)
    ]
    clean = {chunk for texts in material.sentences.values() for text in texts for chunk in cut(text)}
    return list(dict.fromkeys(chunk for text in perturbed for chunk in cut(text) if chunk not in clean))


def peer(
    encode: Callable, operator: str, material: Sentences, severity: float, share: float, repeats: int
) -> dict[str, float]:
    """nlpaug, then encode_batch on its whole texts."""
    texts = material.head(list(material.sentences), share)
    augment = {language: peers.augmenter(operator, severity, language) for language in texts}
    timing = alternating(
        {"peer": lambda: [encode(augment[language](clean)) for language, clean in texts.items()]}, repeats
    )["peer"]
    return {"peer": sum(map(len, texts.values())) / timing.wall}
