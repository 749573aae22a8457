"""How a tokenizer lays out examples: special tokens and token type ids around one or two fields of text.

The template is the tokenizer's own: the post-processor of its tokenizer.json, or the template of its class in
`transformers` for older files. It does not depend on the encoder's family or on the kind of tokenizer.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from itt_jax.errors import InputError


@dataclasses.dataclass(frozen=True)
class Part:
    """A run of tokens of an example.

    Attributes:
        field: 1 or 2 for a field's tokens, 0 for one special token.
        token_type: their token type id.
        special_id: id of the special token; -1 for a field.
    """

    field: int
    token_type: int
    special_id: int = -1


@dataclasses.dataclass(frozen=True)
class Layout:
    """The layout of a tokenizer's examples.

    Attributes:
        single, pair: the parts of examples with one and with two fields, in order.
        cls_id: id of the summary token, which both contain.
        pad_id, pad_type: id and token type id of padding.
        context_first: whether question answering reads the context before the question, as `transformers` does for
            tokenizers that pad on the left.
    """

    single: tuple[Part, ...]
    pair: tuple[Part, ...]
    cls_id: int
    pad_id: int
    pad_type: int = 0
    context_first: bool = False

    def parts(self, fields: int) -> tuple[Part, ...]:
        """The parts of an example with `fields` fields.

        Raises:
            InputError: neither 1 nor 2 fields.
        """
        if fields not in (1, 2):
            raise InputError(f"an example has 1 or 2 text fields, found {fields}")
        return self.pair if fields == 2 else self.single

    def special_tokens(self, fields: int) -> int:
        """Number of special tokens in an example with `fields` fields."""
        return sum(part.field == 0 for part in self.parts(fields))

    def start(self, field: int, lengths: Sequence[np.ndarray]) -> np.ndarray:
        """Position in each example of the first token of `field`: int64 [n].

        Args:
            lengths: for each field, its number of tokens in each example: int64 [n].
        """
        return self._before(lambda part: part.field == field, lengths)

    def summary(self, lengths: Sequence[np.ndarray]) -> np.ndarray:
        """Position in each example of the summary token: int64 [n]. Arguments as `start`."""
        return self._before(lambda part: part.special_id == self.cls_id, lengths)

    def _before(self, found: Any, lengths: Sequence[np.ndarray]) -> np.ndarray:
        """Number of tokens before the first part for which `found` holds."""
        position = np.zeros(len(lengths[0]), np.int64)
        for part in self.parts(len(lengths)):
            if found(part):
                break
            position = position + (lengths[part.field - 1] if part.field else 1)
        return position

    @property
    def token_types(self) -> int:
        """Rows that a table of token types needs for examples of this layout."""
        return 1 + max(part.token_type for part in (*self.single, *self.pair))

    def without_types(self) -> Self:
        """This layout with token type id 0 throughout."""
        single, pair = (
            tuple(dataclasses.replace(part, token_type=0) for part in parts) for parts in (self.single, self.pair)
        )
        return dataclasses.replace(self, single=single, pair=pair, pad_type=0)


def from_template(single: str, pair: str, special: Mapping[str, int]) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
    """The parts of templates such as "cls:0 A:0 sep:0 B:1 sep:1".

    Args:
        special: role of a special token ("cls") -> its id.
    """

    def part(word: str) -> Part:
        name, _, token_type = word.partition(":")
        if name in "AB":
            return Part("AB".index(name) + 1, int(token_type))
        return Part(0, int(token_type), special[name])

    return tuple(map(part, single.split())), tuple(map(part, pair.split()))


def from_post_processor(post_processor: Any, where: str) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
    """The parts of examples with one and two fields that a tokenizer.json's post_processor makes.

    Found by applying it, in the Rust library itself, to fields of one token.

    Raises:
        InputError: not a post-processor, or one that does not contain each field once.
    """
    import tokenizers

    _check_templates(post_processor, where)
    toy = {
        "version": "1.0",
        "added_tokens": [],
        "post_processor": post_processor,
        "model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"},
    }
    try:
        encoder = tokenizers.Tokenizer.from_str(json.dumps(toy))
        encodings = encoder.encode("a"), encoder.encode("a", "a")
    except Exception as error:  # the Rust library raises bare Exception
        raise InputError(f"{where}: not a post_processor ({error})") from None
    found = []
    for fields, encoding in enumerate(encodings, 1):
        rows = zip(encoding.sequence_ids, encoding.type_ids, encoding.ids, strict=True)
        parts = tuple(Part(0, kind, i) if field is None else Part(field + 1, kind) for field, kind, i in rows)
        once = encoding.special_tokens_mask.count(0) == fields
        if not once or sorted(part.field for part in parts if part.field) != list(range(1, fields + 1)):
            raise InputError(f"{where}: expected a post_processor that contains each field once")
        found.append(parts)
    return found[0], found[1]


def _check_templates(post_processor: Any, where: str) -> None:
    """Refuse a template with a special token that has no ids, on which the Rust library panics."""
    if not isinstance(post_processor, dict):
        return
    inner = post_processor.get("processors")
    for part in inner if isinstance(inner, list) else ():
        _check_templates(part, where)
    known = post_processor.get("special_tokens")
    names = list(known) if isinstance(known, dict) else []
    for name in ("single", "pair"):
        template = post_processor.get(name)
        for piece in template if isinstance(template, list) else ():
            token = piece.get("SpecialToken") if isinstance(piece, dict) else None
            if isinstance(token, dict) and token.get("id") not in names:
                raise InputError(f"{where}: its post_processor gives no ids for a special token of its {name} template")
