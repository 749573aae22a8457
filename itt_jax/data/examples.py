"""Examples: token ids with special tokens, types and fields, laid out as each family was pretrained."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from itt_jax.data.rows import Rows
from itt_jax.data.tokenizing import Tokenizer
from itt_jax.errors import InputError
from itt_jax.ragged import Ragged, ragged_positions

if TYPE_CHECKING:
    from itt_jax.data.spans import Windows


@dataclasses.dataclass(frozen=True)
class Examples:
    """n examples, ready to be packed into batches.

    Attributes:
        ids: int32 [N], special tokens included.
        types: int8 [N], the family's token_type_ids (BERT 0/1, RoBERTa 0, XLNet 0/1, 2 for the class token).
        fields: int8 [N], 0 for a special token, 1 for the first field, 2 for the second.
        offsets: int64 [n + 1], example i has ids[offsets[i]:offsets[i + 1]].
        summaries: int32 [n], position of the class token inside its example.
        labels: [n]; of several labels an example bool [n, classes]; of tagging [N], the class of the word that a token
            stands for, or -1; of spans [N], 1 for the answer's first token, plus 2 for its last; or None.
        pad_id, pad_type: what fills the empty places of a batch.
        anchors: of tagging: int64 [words], the token (index of `ids`) that stands for each word; None otherwise.
        windows: of spans: which part of its context each example holds (`data.spans`); None otherwise.
        choices: of choice: this many examples in a row are one item, and have its label; 1 otherwise.
    """

    ids: np.ndarray
    types: np.ndarray
    fields: np.ndarray
    offsets: np.ndarray
    summaries: np.ndarray
    labels: np.ndarray | None
    pad_id: int
    pad_type: int
    anchors: np.ndarray | None = None
    windows: "Windows | None" = None
    choices: int = 1

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def labels_by_token(self) -> bool:
        """Whether labels are [N], one for each token."""
        return self.anchors is not None or self.windows is not None

    @property
    def items(self) -> int:
        """What a batch counts: examples, or items with choices."""
        return len(self) // self.choices

    def of_items(self, items: np.ndarray) -> np.ndarray:
        """The examples of some items, an item's side by side: int64 [len(items) * choices]."""
        return (np.asarray(items, np.int64)[:, None] * self.choices + np.arange(self.choices)).ravel()

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each example, special tokens included: int64 [n]."""
        return np.diff(self.offsets)


@dataclasses.dataclass(frozen=True)
class _Part:
    """A run of one kind in a layout: a field (1, 2), or a special token (field 0) by the tokenizer's attribute."""

    field: int
    type: int
    special: str = ""


def _layout(family: str, fields: int) -> list[_Part]:
    """The parts of an example, in order, as Hugging Face lays them out."""
    pair = fields == 2
    if family == "bert":  # [CLS] a [SEP] b [SEP]
        parts = [_Part(0, 0, "cls_id"), _Part(1, 0), _Part(0, 0, "sep_id")]
        return parts + [_Part(2, 1), _Part(0, 1, "sep_id")] * pair
    if family == "roberta":  # <s> a </s></s> b </s>
        parts = [_Part(0, 0, "cls_id"), _Part(1, 0), _Part(0, 0, "sep_id")]
        return parts + [_Part(0, 0, "sep_id"), _Part(2, 0), _Part(0, 0, "sep_id")] * pair
    # XLNet: a <sep> b <sep> <cls>
    parts = [_Part(1, 0), _Part(0, 0, "sep_id")] + [_Part(2, 1), _Part(0, 1, "sep_id")] * pair
    return [*parts, _Part(0, 2, "cls_id")]


def special_tokens(family: str, fields: int) -> int:
    """How many special tokens an example of so many fields has."""
    return sum(part.field == 0 for part in _layout(family, fields))


def _truncated(lengths: Sequence[np.ndarray], room: int) -> list[np.ndarray]:
    """Lengths of the fields after longest-first truncation to `room` tokens in all.

    As `truncate_encodings` of the Rust tokenizers library: the longer field is cut first; when both are cut each keeps
    half, and of an odd number the field that was longer (the second, of equals) keeps the odd one.
    """
    if len(lengths) == 1:
        return [np.minimum(lengths[0], room)]
    first, second = lengths
    swap = first > second
    short, long = np.where(swap, second, first), np.where(swap, first, second)
    long = np.where(short > room, short, np.minimum(long, np.maximum(short, room - short)))
    over = short + long > room
    short, long = np.where(over, room // 2, short), np.where(over, room // 2 + room % 2, long)
    return [np.where(swap, long, short), np.where(swap, short, long)]


def assemble(
    tokenizer: Tokenizer, fields: Sequence[Ragged], max_length: int, labels: np.ndarray | None = None
) -> Examples:
    """Examples of one or two fields, laid out and truncated (longest first) as Hugging Face does for the family.

    Args:
        fields: one or two arrays of the same number of texts.
        max_length: most tokens of an example, special tokens included.

    Raises:
        InputError: no or more than two fields, fields of different sizes, or no room beside the special tokens.
    """
    if len(fields) not in (1, 2):
        raise InputError(f"an example has 1 or 2 text fields, found {len(fields)}")
    sizes = {len(field) for field in fields} | ({len(labels)} if labels is not None else set())
    if len(sizes) > 1:
        raise InputError(f"fields and labels of one size expected, found {sorted(sizes)}")
    n = sizes.pop()
    parts = _layout(tokenizer.family, len(fields))
    room = max_length - special_tokens(tokenizer.family, len(fields))
    if room < len(fields):
        raise InputError(f"max_length {max_length} leaves no room beside {max_length - room} special tokens")
    kept = _truncated([field.lengths for field in fields], room)
    lengths = np.stack([kept[part.field - 1] if part.field else np.ones(n, np.int64) for part in parts], axis=1)
    ends = np.cumsum(lengths, axis=None).reshape(lengths.shape)
    starts = ends - lengths
    total = int(ends[-1, -1]) if n else 0
    ids = np.empty(total, np.int32)
    types, field_of = np.empty(total, np.int8), np.empty(total, np.int8)
    for k, part in enumerate(parts):
        if part.field:
            source = fields[part.field - 1]
            places = ragged_positions(starts[:, k], lengths[:, k])
            ids[places] = source.values[ragged_positions(source.offsets[:-1], lengths[:, k])]
        else:
            places = starts[:, k]
            ids[places] = getattr(tokenizer, part.special)
        types[places], field_of[places] = part.type, part.field
    offsets = np.concatenate([[0], ends[:, -1]]).astype(np.int64)
    last = tokenizer.family == "xlnet"
    summaries = (np.diff(offsets) - 1 if last else np.zeros(n)).astype(np.int32)
    return Examples(ids, types, field_of, offsets, summaries, labels, tokenizer.pad_id, 3 if last else 0)


def prepare(tokenizer: Tokenizer, rows: Rows, max_length: int) -> Examples:
    """The examples of `rows`, through the chunk table."""
    fields = [tokenizer.encode(texts, rows.language) for texts in rows.fields.values()]
    return assemble(tokenizer, fields, max_length, rows.labels)
