"""Examples: token ids with special tokens, token types and fields, in the tokenizer's layout."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from itt_jax.data.fit import check_length, check_table
from itt_jax.data.rows import Rows
from itt_jax.data.tokenizing import Tokenizer
from itt_jax.data.windows import Windows
from itt_jax.errors import InputError
from itt_jax.families import EncoderConfig
from itt_jax.ragged import Ragged, offsets_of, ragged_positions


@dataclasses.dataclass(frozen=True)
class Examples:
    """n examples, ready to be packed into batches.

    Attributes:
        ids: int32 [N], special tokens included.
        token_type_ids: int8 [N] (BERT: 0 and 1; RoBERTa: 0; XLNet: 0 and 1, 2 for the summary token).
        fields: int8 [N], 0 for a special token, 1 for the first field, 2 for the second.
        offsets: int64 [n + 1], example i has ids[offsets[i]:offsets[i + 1]].
        summaries: int32 [n], position of the summary token in its example.
        labels: one for each example, [n], or for multilabel tasks bool [n, classes]; or one for each token, [N]: for
            token classification the class of the word at its anchor, -1 elsewhere; for question answering
            1 at the answer's first token plus 2 at its last. None: no labels.
        pad_id, pad_type: id and token type id of padding.
        anchors: for token classification: int64 [words], the token (index of `ids`) that represents each word.
        windows: for question answering: the part of its context that each example holds.
        choices: number of consecutive examples that form one item and share its label (multiple choice); 1 otherwise.
    """

    ids: np.ndarray
    token_type_ids: np.ndarray
    fields: np.ndarray
    offsets: np.ndarray
    summaries: np.ndarray
    labels: np.ndarray | None
    pad_id: int
    pad_type: int
    anchors: np.ndarray | None = None
    windows: Windows | None = None
    choices: int = 1

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def labels_by_token(self) -> bool:
        """Whether labels are one for each token."""
        return self.anchors is not None or self.windows is not None

    @property
    def known_labels(self) -> np.ndarray:
        """The labels.

        Raises:
            InputError: there are none.
        """
        if self.labels is None:
            raise InputError("the examples have no labels")
        return self.labels

    @property
    def items(self) -> int:
        """Number of items, the unit that batch sizes count: examples, or groups of choices."""
        return len(self) // self.choices

    def of_items(self, items: np.ndarray) -> np.ndarray:
        """The examples of some items, item after item: int64 [len(items) * choices]."""
        return (np.asarray(items, np.int64)[:, None] * self.choices + np.arange(self.choices)).ravel()

    def select(self, indices: np.ndarray) -> "Examples":
        """The examples at `indices`, in that order, as training reads them: without the places of words and windows."""
        starts, by_token = self.offsets[indices], self.labels_by_token
        lengths = self.offsets[indices + 1] - starts
        tokens = ragged_positions(starts, lengths)
        labels = None if self.labels is None else self.labels[tokens if by_token else indices]
        return dataclasses.replace(
            self,
            ids=self.ids[tokens],
            token_type_ids=self.token_type_ids[tokens],
            fields=self.fields[tokens],
            offsets=offsets_of(lengths),
            summaries=self.summaries[indices],
            labels=labels,
            anchors=np.zeros(0, np.int64) if by_token else None,
            windows=None,
        )

    @classmethod
    def joined(cls, parts: Sequence["Examples"]) -> "Examples":
        """Parts of one layout as one set; `select` makes them, or they have no labels."""
        return dataclasses.replace(
            parts[0],
            ids=np.concatenate([part.ids for part in parts]),
            token_type_ids=np.concatenate([part.token_type_ids for part in parts]),
            fields=np.concatenate([part.fields for part in parts]),
            offsets=offsets_of(np.concatenate([part.lengths for part in parts])),
            summaries=np.concatenate([part.summaries for part in parts]),
            labels=None if parts[0].labels is None else np.concatenate([part.known_labels for part in parts]),
        )

    def check_fits(self, config: EncoderConfig) -> None:
        """Check that an encoder's tables have a row for every id, token type and position.

        Raises:
            InputError: one of them is beyond its table.
        """
        if len(self.ids):
            check_table("token id", max(self.ids.max(), self.pad_id), config)
            check_table("token type id", max(self.token_type_ids.max(), self.pad_type), config)
            check_length(self.lengths.max(), config, "examples of length")

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each example, special tokens included: int64 [n]."""
        return np.diff(self.offsets)


def _truncated(lengths: Sequence[np.ndarray], room: int) -> list[np.ndarray]:
    """Lengths of the fields after longest-first truncation to `room` tokens in total.

    As `truncate_encodings` of the Rust tokenizers library: the longer field is cut first. When both are cut, each keeps
    half; the longer one (the second of equals) keeps the odd token.
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
    """Examples with one or two fields, in the tokenizer's layout and truncated longest first.

    Args:
        fields: token ids of one or two fields, for the same number of texts.
        max_length: longest example in tokens, special tokens included.

    Raises:
        InputError: not one or two fields, fields of different sizes, or no room beside the special tokens.
    """
    layout = tokenizer.layout
    parts = layout.parts(len(fields))
    sizes = {len(field) for field in fields} | ({len(labels)} if labels is not None else set())
    if len(sizes) > 1:
        raise InputError(f"fields and labels of one size expected, found {sorted(sizes)}")
    n = sizes.pop()
    room = max_length - layout.special_tokens(len(fields))
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
            ids[places] = part.special_id
        types[places], field_of[places] = part.token_type, part.field
    offsets = np.concatenate([[0], ends[:, -1]]).astype(np.int64)
    summaries = layout.summary(kept).astype(np.int32)
    return Examples(ids, types, field_of, offsets, summaries, labels, layout.pad_id, layout.pad_type)


def prepare(tokenizer: Tokenizer, rows: Rows, max_length: int) -> Examples:
    """The examples of `rows`."""
    fields = [tokenizer.encode(texts, rows.language) for texts in rows.fields.values()]
    return assemble(tokenizer, fields, max_length, None if rows.labels is None else rows.labels_as(np.ndarray))
