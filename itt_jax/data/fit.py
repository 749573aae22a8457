"""Whether a tokenizer and the lengths of examples fit an encoder's tables; beyond a table, JAX computes with NaN."""

from itt_jax.data.tokenizing import Tokenizer
from itt_jax.errors import InputError
from itt_jax.families import EncoderConfig


def check_tokenizer(tokenizer: Tokenizer, config: EncoderConfig, where: str, fields: int = 1) -> None:
    """Check that an encoder has an embedding for every id and token type of a tokenizer. It may have more.

    Args:
        where: how the error begins. fields: number of text fields of the examples.

    Raises:
        InputError: the largest token id, which may be an added token's, or a token type is beyond its table.
    """
    layout, largest = tokenizer.layout, tokenizer.vocabulary_size - 1
    try:
        check_table("token id", largest, config, f" ({tokenizer.pieces[largest]!r:.60})")
        types = [part.token_type for part in layout.parts(fields)]
        check_table("token type id", max(*types, layout.pad_type), config)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def check_table(name: str, largest: int, config: EncoderConfig, about: str = "") -> None:
    """Check that the largest "token id" or "token type id" has a row in an encoder's table.

    Args:
        about: follows the id in the error.

    Raises:
        InputError: it has none.
    """
    field = {"token id": "vocabulary_size", "token type id": "token_types"}[name]
    rows = getattr(config, field)
    if rows is not None and largest >= rows:
        raise InputError(
            f"the tokenizer gives {name} {largest}{about}; the {config.family} encoder has {config.names[field]} "
            f"{rows}: they do not belong together"
        )


def check_length(length: int, config: EncoderConfig, what: str) -> None:
    """Check that examples of some length fit an encoder's positions.

    Args:
        length: in tokens, special tokens included. what: names the length in the error.

    Raises:
        InputError: they are longer.
    """
    if config.max_positions is not None and length > config.max_positions:
        raise InputError(
            f"{what} {length}: the {config.family} encoder's positions allow {config.max_positions} tokens"
        )
