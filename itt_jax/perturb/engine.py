"""Applies operators to texts: checks the request, works in blocks and records the realised edits."""

import dataclasses
import functools
import itertools
import pathlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from itt_jax.errors import InputError, unknown
from itt_jax.perturb.catalog import get
from itt_jax.perturb.edits import Edits, apply, counts_by_text, differing
from itt_jax.perturb.lexicon import Lexicon, read_lexicon
from itt_jax.perturb.noise import Noise, hash_strings, text_keys
from itt_jax.perturb.operator import LANGUAGES, Operator
from itt_jax.perturb.text import from_strings, to_strings
from itt_jax.perturb.units import Document, flat_editable
from itt_jax.ragged import Ragged

BLOCK = 1 << 15  # codepoints per block, so that the arrays fit in the processor's cache
LexiconFile = pathlib.Path | str | Lexicon | None
LINES = 10_000  # lines of a stream perturbed at a time


@dataclasses.dataclass(frozen=True)
class PerturbedTexts:
    """n texts perturbed by one operator at one severity and replicate.

    Attributes:
        severity, replicate: the request that produced the texts.
        texts: n strings; unchanged texts are the original objects.
        changed: bool [n].
        edits: int64 [n] grapheme edits made (insertions, deletions and substitutions of clusters), an upper bound of
            the Levenshtein distance that is usually tight.
        clusters: int64 [n] grapheme clusters of the clean text.
        made: int64 [n] number of edited units of the operator, however many clusters each has.
        sources: for each text int64 [codepoints of the perturbed text], the clean codepoint behind each, -1 for new
            ones; None unless requested.
    """

    severity: float
    replicate: int
    texts: list[str]
    changed: np.ndarray
    edits: np.ndarray
    clusters: np.ndarray
    made: np.ndarray
    sources: list[np.ndarray] | None

    @property
    def edit_rate(self) -> float:
        """Grapheme edits per cluster of the clean texts."""
        return float(self.edits.sum() / max(1, self.clusters.sum()))


def check_operator(name: str, language: str, lexicon: LexiconFile = None) -> tuple[Operator, Lexicon | None]:
    """The operator and the lexicon it reads.

    Raises:
        InputError: the operator or language is unknown, the operator has no table for the language and no lexicon is
            given, a lexicon is given to an operator that does not use one, or the file is not a valid lexicon.
    """
    operator = get(name)
    if language not in LANGUAGES:
        raise unknown("language", language, LANGUAGES)
    if lexicon is not None and not operator.lexicon:
        raise InputError(f"perturbation {name!r} does not use a lexicon")
    if lexicon is None and language not in operator.languages:
        known = ", ".join(sorted(operator.languages)) or "none"
        hint = f"; give a lexicon ({operator.lexicon})" if operator.lexicon else ""
        raise InputError(f"perturbation {name!r} has no table for language {language!r}, only for: {known}{hint}")
    return operator, lexicon if lexicon is None or isinstance(lexicon, Lexicon) else read_lexicon(lexicon)


def check_severity(severity: float) -> float:
    """The severity as a float; raises InputError unless it is a number in [0, 1]."""
    if isinstance(severity, bool) or not isinstance(severity, int | float | np.number) or not 0 <= severity <= 1:
        raise InputError(f"severity: found {severity!r}, expected a number from 0 to 1")
    return float(severity)


def line_ids(first: int, count: int) -> list[str]:
    """Line numbers, the item ids of texts without ids."""
    return [str(line) for line in range(first, first + count)]


@functools.lru_cache(maxsize=4)
def line_hashes(count: int) -> np.ndarray:
    """uint64 [count]: hashes of the line numbers from 1, cached because the same texts are usually perturbed again."""
    hashes = hash_strings(line_ids(1, count))
    hashes.flags.writeable = False
    return hashes


def blocks(text: Ragged) -> Iterator[tuple[slice, Ragged]]:
    """Consecutive texts, at least one and about BLOCK codepoints at a time, and their indices."""
    first = 0
    while first < len(text):
        stop = int(np.searchsorted(text.offsets, text.offsets[first] + BLOCK, "right")) - 1
        stop = min(max(stop, first + 1), len(text))
        begin, end = text.offsets[first], text.offsets[stop]
        yield slice(first, stop), Ragged(text.values[begin:end], text.offsets[first : stop + 1] - begin)
        first = stop


def perturb_block(
    call: "OperatorCall", document: Document, noise: Noise, severity: float, texts: Sequence[str]
) -> PerturbedTexts:
    """Perturbs one block of texts at one severity."""
    edits = call.operator.function(document, noise, severity)
    output, clean, changed, made, cost = applied(document, edits, call.align)
    sources = None
    if clean is not None:
        own = np.where(clean < 0, -1, clean - np.repeat(document.text.offsets[:-1], np.diff(output.offsets)))
        sources = np.split(own, output.offsets[1:-1])
    clusters = np.diff(document.text_clusters)
    return PerturbedTexts(severity, 0, with_unchanged(output, changed, texts), changed, cost, clusters, made, sources)


def with_unchanged(output: Ragged, changed: np.ndarray, texts: Sequence[str]) -> list[str]:
    """The perturbed texts as strings; unchanged texts are the original objects."""
    if 2 * np.count_nonzero(changed) > len(texts):  # converting all texts is faster than selecting most of them
        result = to_strings(output)
        for index in np.flatnonzero(~changed).tolist():
            result[index] = texts[index]
        return result
    result, where = list(texts), np.flatnonzero(changed)
    for index, string in zip(where.tolist(), to_strings(output, where), strict=True):
        result[index] = string
    return result


def applied(
    document: Document, edits: Edits, align: bool
) -> tuple[Ragged, np.ndarray | None, np.ndarray, np.ndarray, np.ndarray]:
    """Perturbed texts, their sources if `align`, and for each text whether it changed, its edits and their cost.

    Adjacent edits can cancel out (in "!!", one mark deleted and the other doubled); unchanged texts have no cost.
    """
    text, kernels = document.text, document.kernels
    if kernels is None or align:
        output, sources = apply(text, edits)
        changed = differing(text, output)
        made, cost = counts_by_text(edits, text.offsets)
        return output, sources if align else None, changed, made, cost * changed
    codepoints, offsets, changed, made, cost = kernels.apply(
        text.values, text.offsets, edits.start, edits.stop, edits.lengths, edits.codepoints, edits.cost
    )
    return Ragged(codepoints, offsets), None, changed, made, cost


def joined(parts: list[PerturbedTexts], severity: float, replicate: int, align: bool) -> PerturbedTexts:
    """Concatenates the results of all blocks."""

    def together(name: str, kind: type) -> np.ndarray:
        return np.concatenate([np.zeros(0, kind), *(getattr(part, name) for part in parts)])

    return PerturbedTexts(
        severity,
        replicate,
        list(itertools.chain.from_iterable(part.texts for part in parts)),
        together("changed", np.bool_),
        together("edits", np.int64),
        together("clusters", np.int64),
        together("made", np.int64),
        [own for part in parts for own in part.sources or ()] if align else None,
    )


def variants(
    texts: Sequence[str],
    name: str,
    severities: Sequence[float],
    language: str,
    seed: int = 0,
    *,
    ids: Sequence[str] | None = None,
    field: str = "text",
    replicates: Sequence[int] = (0,),
    editable: Sequence[np.ndarray | None] | None = None,
    align: bool = False,
    lexicon: LexiconFile = None,
) -> list[PerturbedTexts]:
    """Perturbs texts at every severity and replicate.

    Args:
        texts: n strings.
        name: an operator of CATALOG, or several joined by "+" and applied in that order.
        severities: numbers from 0 to 1.
        language: ISO 639 code of the texts.
        seed: noise seed. Every random choice depends on seed, item id, field, operator, replicate and position only.
        ids: item ids; by default the line numbers "1", "2", ...
        field: name of the texts' field, such as "premise".
        replicates: numbers of the independent repetitions.
        editable: for each text a bool mask of the codepoints that may be edited, or None for all; by default all.
        align: whether to compute `PerturbedTexts.sources`.
        lexicon: a Lexicon or the path of one (see `read_lexicon`), for operators that read one.

    Returns:
        One result for each severity and replicate; all replicates of the first severity come first.

    Raises:
        InputError: the operator or language is unknown, a severity is out of range, a text contains NUL or a lone
            surrogate, ids or masks do not fit the texts, or the lexicon is missing, malformed or not applicable.
    """
    operator, lexicon = check_operator(name, language, lexicon)
    severities = [check_severity(severity) for severity in severities]
    texts = list(texts)
    if ids is not None and len(ids) != len(texts):
        raise InputError(f"ids: found {len(ids)}, expected {len(texts)}, one per text")
    hashes = line_hashes(len(texts)) if ids is None else hash_strings([str(item) for item in ids])
    call = OperatorCall(operator, operator.name, language, seed, field, hashes, align, lexicon)
    if operator.steps:
        return [one_after_another(call, texts, s, r, editable) for s in severities for r in replicates]
    return made(call, texts, severities, replicates, editable)


@dataclasses.dataclass(frozen=True)
class OperatorCall:
    """The arguments of `variants` that are the same for all severities and replicates.

    Attributes:
        stream: name that identifies the operator in the keys of the random draws.
        hashes: uint64 [n] hashes of the item ids.
    """

    operator: Operator
    stream: str
    language: str
    seed: int
    field: str
    hashes: np.ndarray
    align: bool
    lexicon: Lexicon | None


def made(
    call: OperatorCall, texts: list[str], severities: Sequence[float], replicates: Sequence[int], editable
) -> list[PerturbedTexts]:
    """`variants` for an operator without steps."""
    text = from_strings(texts)
    field = "" if call.operator.shared_by_fields else call.field
    context = (call.seed, field, call.stream, call.operator.version)
    keys = {r: text_keys(call.hashes, *context, r) for r in replicates}
    mask = flat_editable(editable, text)
    wanted = [(severity, replicate) for severity in severities for replicate in replicates]
    found = []
    for block, own in blocks(text):
        own_mask = None if mask is None else mask[text.offsets[block.start] : text.offsets[block.stop]]
        document = Document(own, own_mask, call.language, call.lexicon)
        noise = {replicate: Noise(keys[replicate][block], document) for replicate in replicates}
        found.append([perturb_block(call, document, noise[r], severity, texts[block]) for severity, r in wanted])
    return [joined([parts[k] for parts in found], *one, call.align) for k, one in enumerate(wanted)]


def one_after_another(
    call: OperatorCall, texts: list[str], severity: float, replicate: int, editable: Sequence[np.ndarray | None] | None
) -> PerturbedTexts:
    """Applies the steps of a composed operator; a step may edit what an earlier one inserted.

    Grapheme edits are summed over the steps, which gives an upper bound of the distance.
    """
    counts: dict[str, int] = {}
    now, edits, clusters, units = texts, np.zeros(len(texts), np.int64), None, np.zeros(len(texts), np.int64)
    sources = [np.arange(len(text)) for text in texts]
    masks = editable
    for step in call.operator.steps:
        counts[step.name] = counts.get(step.name, 0) + 1
        stream = step.name if counts[step.name] == 1 else f"{step.name}#{counts[step.name]}"
        lexicon = call.lexicon if step.lexicon else None
        own = dataclasses.replace(call, operator=step, stream=stream, align=True, lexicon=lexicon)
        (variant,) = made(own, now, [severity], [replicate], masks)
        now, edits, units = variant.texts, edits + variant.edits, units + variant.made
        clusters = variant.clusters if clusters is None else clusters
        sources = [
            np.where(later < 0, -1, np.append(before, -1)[later])
            for before, later in zip(sources, variant.sources or (), strict=True)
        ]
        if editable is not None:
            masks = [
                None if mask is None else np.append(mask, True)[source]
                for mask, source in zip(editable, sources, strict=True)
            ]
    changed = np.array([new != old for new, old in zip(now, texts, strict=True)], bool)
    now = [new if differs else old for new, old, differs in zip(now, texts, changed.tolist(), strict=True)]
    edits, units = (np.where(changed, counted, 0) for counted in (edits, units))
    assert clusters is not None  # a composed operator has steps
    return PerturbedTexts(severity, replicate, now, changed, edits, clusters, units, sources if call.align else None)


def perturb(
    texts: Sequence[str],
    name: str,
    severity: float,
    language: str,
    seed: int = 0,
    *,
    ids: Sequence[str] | None = None,
    field: str = "text",
    replicate: int = 0,
    editable: Sequence[np.ndarray | None] | None = None,
    lexicon: LexiconFile = None,
) -> list[str]:
    """Perturbs texts at one severity; arguments and errors are those of `variants`.

    >>> perturb(["The patient slept well."], "word_drop", 0.5, "en", seed=3)
    ['The well.']
    """
    found = variants(
        texts,
        name,
        [severity],
        language,
        seed,
        ids=ids,
        field=field,
        replicates=[replicate],
        editable=editable,
        lexicon=lexicon,
    )
    return found[0].texts


def stream(
    lines: Iterable[str],
    name: str,
    severity: float,
    language: str,
    seed: int = 0,
    *,
    replicate: int = 0,
    lexicon: LexiconFile = None,
) -> Iterator[str]:
    """Perturbs any number of lines in constant memory; the result equals `perturb` on the list of all lines.

    Raises:
        InputError: as `perturb`, with the line's number in the stream, before any line of its chunk is yielded.
    """
    _, lexicon = check_operator(name, language, lexicon)
    check_severity(severity)
    remaining, first = iter(lines), 1
    while chunk := list(itertools.islice(remaining, LINES)):
        from_strings(chunk, first)
        ids = line_ids(first, len(chunk))
        yield from perturb(chunk, name, severity, language, seed, ids=ids, replicate=replicate, lexicon=lexicon)
        first += len(chunk)
