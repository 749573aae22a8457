"""Numba kernels, loaded by `compiled.kernels`. Each returns exactly what its NumPy reference returns.

Inner loops cast their indices to unsigned integers with `at`. Numba checks signed indices for counting from the end,
which prevents vectorization and makes the loops up to four times slower.

Numba's cache on disk notices changes to this file only. Touch it whenever an imported constant changes.
"""

import numba
import numpy as np

from itt_jax.perturb.codepoints import (
    BETWEEN_LETTERS,
    BETWEEN_NUMBERS,
    CLUSTERS_PER_WORD,
    CONSONANT,
    EMOJI_FILLER,
    FILLER,
    HAN,
    IGNORED,
    LETTER,
    LINKER,
    NUMBER,
    PICTOGRAPHIC,
    REGIONAL,
    SOUTH_EAST_ASIAN,
    SPACE,
    SPACED,
    WORD,
    ZWJ,
)
from itt_jax.perturb.splitmix import FIRST, GOLDEN, SECOND

U8, U16, U32, U64, I64, BOOL = (
    numba.types.Array(kind, 1, "C", readonly=True)
    for kind in (numba.uint8, numba.uint16, numba.uint32, numba.uint64, numba.int64, numba.boolean)
)
at = np.uint64


def compiled(*arguments: numba.types.Type):
    """Decorator that compiles for the given types at import, caches the result on disk and releases the GIL."""
    return numba.njit(arguments, cache=True, nogil=True, boundscheck=False)


@compiled(U32, I64, U8, U8, U8, U16)
def units(codepoints, offsets, classes, flags, joins, roles):
    """Grapheme clusters; the reference is `Document.plain_units`.

    Args:
        codepoints, offsets: the texts.
        classes, flags: uint8 [0x110000] grapheme class and flag bits of every codepoint.
        joins: uint8 [K * K], `joining_pairs` for the K grapheme classes, flattened.
        roles: uint16 [K] role bits of each class.

    Returns:
        starts int64 [G + 1], bases int64 [G], flags uint8 [G] and text_clusters int64 [n + 1], as in `Document`.
    """
    total, count = len(codepoints), len(offsets) - 1
    starts = np.empty(total + 1, np.int64)
    bases = np.empty(total, np.int64)
    found = np.empty(total, np.uint8)
    text_clusters = np.empty(count + 1, np.int64)
    size = len(roles)
    cluster = 0
    for text in range(count):
        text_clusters[text] = cluster
        before = 0  # class of the previous codepoint
        base, emoji, emoji_before, run = 0, 0, 0, 0
        for place in range(offsets[text], offsets[text + 1]):
            codepoint = codepoints[at(place)]
            now = np.int64(classes[codepoint])
            joined = False
            if before | now:
                role = np.int64(roles[at(now)])
                if place > offsets[text]:
                    joined = joins[at(before * size + now)] > 0
                    past = np.int64(roles[at(before)])
                    if role & CONSONANT and past & (LINKER | FILLER):
                        joined |= base & LINKER > 0
                    elif role & PICTOGRAPHIC and past & ZWJ:
                        joined |= emoji_before & PICTOGRAPHIC > 0
                    elif role & REGIONAL and past & REGIONAL:
                        joined |= run % 2 == 1
                emoji_before = emoji
                if not role & FILLER:
                    base = role
                if not role & EMOJI_FILLER:
                    emoji = role
                run = run + 1 if role & REGIONAL else 0
                before = now
            if not joined:
                starts[at(cluster)] = place
                bases[at(cluster)] = codepoint
                found[at(cluster)] = flags[codepoint]
                cluster += 1
            elif found[at(cluster - 1)] & IGNORED and not flags[codepoint] & IGNORED:
                found[at(cluster - 1)] = flags[codepoint]
    text_clusters[count] = cluster
    starts[cluster] = total
    return starts[: cluster + 1], bases[:cluster], found[:cluster], text_clusters


@numba.njit(numba.uint64(numba.uint64), cache=True, nogil=True, inline="always")
def mix(state):
    """SplitMix64's output function; the reference is `splitmix.mix`."""
    state = (state ^ (state >> np.uint64(30))) * FIRST
    state = (state ^ (state >> np.uint64(27))) * SECOND
    return state ^ (state >> np.uint64(31))


@compiled(U64, I64, I64, I64)
def first_draws(keys, offsets, starts, counts):
    """Draw 0 at each place; the reference is `noise.first_draws`, which documents the arguments."""
    draws = np.empty(len(starts), np.uint64)
    first = 0
    for text in range(len(counts)):
        key = keys[text] - (np.uint64(offsets[text]) - np.uint64(1)) * GOLDEN
        for unit in range(first, first + counts[text]):
            draws[at(unit)] = mix(np.uint64(starts[at(unit)]) * GOLDEN + key)
        first += counts[text]
    return draws


@compiled(U32, I64, I64, I64, I64, U32, I64)
def apply(codepoints, offsets, start, stop, lengths, new, cost):
    """Applies edits to texts; the reference is `edits.apply` with `differing` and `counts_by_text`.

    Returns:
        codepoints uint32 [C'] and offsets int64 [n + 1] of the perturbed texts; changed bool [n]; the number of edits,
        int64 [n]; their cost, int64 [n], which is 0 for unchanged texts.
    """
    count = len(offsets) - 1
    grown = 0
    for edit in range(len(start)):
        grown += lengths[edit] - (stop[edit] - start[edit])
    output = np.empty(len(codepoints) + grown, np.uint32)
    ends = np.empty(count + 1, np.int64)
    changed = np.zeros(count, np.bool_)
    made = np.zeros(count, np.int64)
    costs = np.zeros(count, np.int64)
    edit, read, shift, taken = 0, 0, 0, 0
    ends[0] = 0
    for text in range(count):
        end = offsets[text + 1]
        first, before = edit, shift
        while edit < len(start) and start[edit] < end:
            for place in range(read, start[edit]):
                output[at(place + shift)] = codepoints[at(place)]
            written = start[edit] + shift
            for place in range(lengths[edit]):
                output[at(written + place)] = new[at(taken + place)]
            taken += lengths[edit]
            read = stop[edit]
            shift = written + lengths[edit] - read
            costs[text] += cost[edit]
            edit += 1
        for place in range(read, end):
            output[at(place + shift)] = codepoints[at(place)]
        read = end
        ends[text + 1] = end + shift
        made[text] = edit - first
        if edit > first:
            changed[text] = True
            if shift == before:
                place = start[first]
                while place < end and output[place + shift] == codepoints[place]:
                    place += 1
                changed[text] = place < end
                costs[text] *= changed[text]
    return output, ends, changed, made, costs


@numba.njit([(U32, I64, kind[::1]) for kind in (numba.uint8, numba.uint16, numba.uint32)], cache=True, nogil=True)
def separate(codepoints, offsets, output):
    """Copies the texts into a zeroed array, leaving one zero between any two; see `Ragged.strings`."""
    for text in range(len(offsets) - 1):
        for place in range(offsets[text], offsets[text + 1]):
            output[at(place + text)] = codepoints[at(place)]


@compiled(U32, numba.types.Array(numba.int64, 3, "C", readonly=True), U32, I64)
def pieces(codepoints, parts, new, place):
    """Lengths, sources and codepoints of edits made of pieces; the reference is `edits.plain_pieces`.

    `new` and `place` are empty if no edit adds a codepoint.
    """
    count, size = parts.shape[:2]
    lengths = np.zeros(count, np.int64)
    for edit in range(count):
        for part in range(size):
            lengths[edit] += parts[at(edit), at(part), 1] - parts[at(edit), at(part), 0]
        if len(new) and new[edit]:
            lengths[edit] += 1
    sources = np.empty(lengths.sum(), np.int64)
    written = np.empty(len(sources), np.uint32)
    out = 0
    for edit in range(count):
        left = place[edit] if len(new) and new[edit] else -1  # codepoints to write before the new one
        for part in range(size):
            for source in range(parts[at(edit), at(part), 0], parts[at(edit), at(part), 1]):
                if left == 0:
                    sources[out] = -1
                    written[out] = new[edit]
                    out += 1
                left -= 1
                sources[at(out)] = source
                written[at(out)] = codepoints[at(source)]
                out += 1
        if left == 0:
            sources[out] = -1
            written[out] = new[edit]
            out += 1
    return lengths, sources, written


@compiled(U32, I64, I64, U32, BOOL)
def inserted(codepoints, start, stop, new, after):
    """Lengths, sources and codepoints of edits that insert a codepoint; the reference is `edits.plain_inserted`."""
    count = len(start)
    lengths = np.empty(count, np.int64)
    for edit in range(count):
        lengths[edit] = stop[edit] - start[edit] + 1
    sources = np.empty(lengths.sum(), np.int64)
    written = np.empty(len(sources), np.uint32)
    out = 0
    for edit in range(count):
        place = out if after[edit] else out + 1
        for source in range(start[edit], stop[edit]):
            sources[at(place)] = source
            written[at(place)] = codepoints[at(source)]
            place += 1
        place = place if after[edit] else out
        sources[at(place)] = -1
        written[at(place)] = new[edit]
        out += lengths[edit]
    return lengths, sources, written


@compiled(I64, U8, I64, U8)
def words(bases, flags, text_clusters, groups):
    """Each word's first cluster and the cluster after its last; the reference is `Document.plain_words`.

    Args:
        bases, flags, text_clusters: as in `Document`.
        groups: uint8 [0x110000], `codepoints.word_groups`.
    """
    first = np.empty(len(bases), np.int64)
    stop = np.empty(len(bases), np.int64)
    count = 0
    for text in range(len(text_clusters) - 1):
        begin, end = text_clusters[text], text_clusters[text + 1]
        group, index = -1, 0  # of the current run of one word group; -1 outside a run
        before = -1  # the previous cluster that is not ignored; -1 at the beginning of the text
        for cluster in range(begin, end):
            flag = flags[at(cluster)]
            if flag & IGNORED:
                continue
            member = flag & WORD > 0
            if flag & (BETWEEN_LETTERS | BETWEEN_NUMBERS) and before >= 0:
                after = cluster + 1
                while after < end and flags[at(after)] & IGNORED:
                    after += 1
                sides = flags[at(before)] & flags[at(after)] if after < end else np.uint8(0)
                letters = flag & BETWEEN_LETTERS > 0 and sides & LETTER > 0
                numbers = flag & BETWEEN_NUMBERS > 0 and sides & NUMBER > 0
                if letters or numbers:
                    spaced = groups[bases[at(before)]] == SPACED and groups[bases[at(after)]] == SPACED
                    member = member or spaced
            before = cluster
            if not member:
                group = -1
                continue
            own = np.int64(groups[at(bases[at(cluster)])])
            if own == group and own != HAN:
                index += 1
                if own == SOUTH_EAST_ASIAN and index % CLUSTERS_PER_WORD == 0:
                    first[at(count)] = cluster
                    count += 1
            else:
                group, index = own, 0
                first[at(count)] = cluster
                count += 1
            stop[at(count - 1)] = cluster + 1
    return first[:count], stop[:count]


@compiled(I64, U64, U8, U32, U32, U32, I64, I64)
def letters(bases, draws, scripts, lower, upper, codepoints, first, count):
    """A different letter for each base, uint32; the reference is `characters.plain_letters`.

    Args:
        bases, draws: first codepoint and draw 0 of the clusters.
        scripts, lower, upper: tables indexed by codepoint.
        codepoints, first, count: `characters.alphabets`.
    """
    found = np.empty(len(bases), np.uint32)
    for index in range(len(bases)):
        base = bases[index]
        script, small = scripts[base], lower[base]
        number = np.uint64(count[script])
        draw = mix(draws[index] + GOLDEN) >> np.uint64(33)
        choice = np.int64((draw * number) >> np.uint64(31))
        letter = codepoints[first[script] + choice]
        if letter == (small if small else base):
            letter = codepoints[first[script] + (choice + 1) % count[script]]
        if small and upper[letter]:
            letter = upper[letter]
        found[index] = letter
    return found


@compiled(U64, numba.uint64, numba.boolean, BOOL)
def chosen(draws, limit, every, eligible):
    """int64: eligible places with a draw below the limit, or all of them if `every`; see `characters.chosen`."""
    picked = np.empty(len(draws), np.uint8)
    for place in range(len(draws)):
        picked[place] = (every | (draws[place] < limit)) & eligible[place]
    found = np.empty(len(draws), np.int64)
    count = at(0)
    for place in range(len(draws)):  # branch-free: a branch on random draws is mispredicted half the time
        found[count] = place
        count += at(picked[place])
    return found[:count].copy()


@compiled(U64, numba.uint64, numba.boolean, BOOL, U8, I64)
def pairs(draws, limit, every, eligible, flags, text_clusters):
    """int64: the first clusters of pairs to edit; the reference is `characters.plain_pairs`.

    Args:
        draws: uint64 [G] draw 0 of each cluster.
        limit, every: `noise.threshold` of the severity.
        eligible: bool [G].
        flags, text_clusters: as in `Document`.
    """
    found = np.empty(len(draws) // 2, np.int64)
    count = 0
    for text in range(len(text_clusters) - 1):
        begin = -1  # of the current run of letters; -1 outside a run
        end = text_clusters[text + 1]
        for cluster in range(text_clusters[text], end):
            if not flags[at(cluster)] & WORD:
                if not flags[at(cluster)] & IGNORED:
                    begin = -1
                continue
            if begin < 0:
                begin = cluster
            if not (every or draws[at(cluster)] < limit) or not eligible[at(cluster)]:
                continue
            if cluster + 1 < end and eligible[cluster + 1] and flags[cluster + 1] & WORD:
                late = np.int64(mix(draws[begin] + GOLDEN) >> np.uint64(63))
                if (cluster - begin) % 2 == late:
                    found[count] = cluster
                    count += 1
    return found[:count]


@compiled(U32, I64, I64)
def exchanged(codepoints, starts, pair):
    """The fields of `Edits` that swap the clusters of each pair; the reference is `characters.plain_exchanged`."""
    size = 0
    for first in pair:
        size += starts[first + 2] - starts[first]
    start, stop, lengths = np.empty_like(pair), np.empty_like(pair), np.empty_like(pair)
    sources = np.empty(size, np.int64)
    written = np.empty(size, np.uint32)
    count, out = 0, 0
    for first in pair:
        begin, middle, end = starts[first], starts[first + 1], starts[first + 2]
        differs = False
        for place in range(end - begin):
            source = middle + place if place < end - middle else begin + place - (end - middle)
            sources[out + place] = source
            written[out + place] = codepoints[source]
            differs |= codepoints[source] != codepoints[begin + place]
        if differs:  # otherwise the next pair overwrites it
            start[count], stop[count], lengths[count] = begin, end, end - begin
            out += end - begin
            count += 1
    return start[:count], stop[:count], lengths[:count], sources[:out], written[:out], np.full(count, 2)


@compiled(U8, BOOL, I64, I64, I64)
def spaces_around(flags, allowed, text_clusters, first, stop):
    """int64, int64: ranges widened by adjacent white space; the reference is `words.plain_spaces_around`."""
    before, after = first.copy(), stop.copy()
    text = 0
    for index in range(len(first)):
        while text_clusters[text + 1] <= first[index]:
            text += 1
        while text_clusters[text] > first[index]:
            text -= 1
        place = first[index]
        while place > text_clusters[text] and flags[place - 1] & SPACE and allowed[place - 1]:
            place -= 1
        before[index] = place
        place = stop[index]
        while place < text_clusters[text + 1] and flags[place] & SPACE and allowed[place]:
            place += 1
        after[index] = place
    return before, after
