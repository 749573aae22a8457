"""Class, settings and added tokens of a tokenizer, from its JSON files, as transformers' AutoTokenizer reads them."""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from typing import Any, overload

from itt_jax.data.tokenizer_classes import BERT, CLASSES, GENERIC, ROBERTA, ROLES, XLM_ROBERTA, XLNET, TokenizerClass
from itt_jax.errors import InputError
from itt_jax.reading.text import parse_object

FILES = (
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "sentencepiece.bpe.model",
    "spiece.model",
    "spm.model",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
)
_NAMED = (*(f"{role}_token" for role in ROLES), "bos_token", "eos_token")
MAX_IDS = 2**22
"""Ids above are refused: four times the largest published vocabulary, and a table of pieces that fits in memory."""


@dataclasses.dataclass(frozen=True)
class AddedToken:
    """A token that a file adds to the vocabulary.

    Attributes:
        content: what it looks like in text.
        index: the id that the file gives it, None if it gives none.
        flags: special, normalized, lstrip, rstrip and single_word, as far as the file has them.
        source: the file and field.
    """

    content: str
    index: int | None
    flags: Mapping[str, bool]
    source: str


@dataclasses.dataclass(frozen=True)
class Settings:
    """The settings of a tokenizer.

    Attributes:
        values: tokenizer_config.json, and special_tokens_map.json where AutoTokenizer reads it.
        name: the tokenizer class, "" if no file names one. own: that class; None if generic or not named.
        added: added tokens in the order in which AutoTokenizer adds them; the same token again changes its flags.
        where: what to call the directory in messages.
    """

    values: Mapping[str, Any]
    name: str
    own: TokenizerClass | None
    added: tuple[AddedToken, ...]
    where: str

    @property
    def known_class(self) -> TokenizerClass:
        """The tokenizer class of a tokenizer that is not generic."""
        assert self.own is not None
        return self.own

    @overload
    def flag(self, name: str, default: bool) -> bool: ...

    @overload
    def flag(self, name: str, default: None) -> bool | None: ...

    def flag(self, name: str, default: bool | None) -> bool | None:
        """A setting that is true or false; null only where that is the default.

        Raises:
            InputError: neither.
        """
        found = self.values.get(name, default)
        if isinstance(found, bool) or (found is None and default is None):
            return found
        raise InputError(f"{self.where}/tokenizer_config.json: {name} is {brief(found)}, expected true or false")

    def token(self, name: str) -> str | None:
        """The content of a named special token such as "cls_token", None where no file names it."""
        found = self.values.get(name)
        return None if found is None else _content(found, f"{self.where}: {name}")


def read_settings(files: Mapping[str, bytes], tokenizer_json: Mapping[str, Any], where: str) -> Settings:
    """The settings in a tokenizer's files.

    AutoTokenizer reads special_tokens_map.json and added_tokens.json only where tokenizer_config.json has no
    added_tokens_decoder, and a class that builds its own tokenizer knows the added tokens of tokenizer.json only then.

    Args:
        files: name -> content.
        tokenizer_json: the content of tokenizer.json, {} if there is none.
        where: what to call the directory in messages.

    Raises:
        InputError: a file that is not JSON, a setting of a wrong type, a class that is not implemented, or files that
            give a token different ids.
    """
    values = read_json(files, "tokenizer_config.json", where)
    name = class_name(values, where)
    own = CLASSES.get(name)
    if own is None and name not in ("", *GENERIC):
        known = ", ".join([*CLASSES, "PreTrainedTokenizerFast"])
        raise InputError(f"{where}: tokenizer_class {brief(name)} is not supported; expected one of {known}")
    versioned = values.get("fast_tokenizer_files", ["tokenizer.json"])
    if versioned != ["tokenizer.json"]:
        raise InputError(f"{where}/tokenizer_config.json: fast_tokenizer_files {brief(versioned)} are not supported")
    in_json = _listed(tokenizer_json.get("added_tokens"), f"{where}/tokenizer.json: added_tokens")
    config = f"{where}/tokenizer_config.json"
    if not values.get("extra_special_tokens") and "additional_special_tokens" in values:
        values["extra_special_tokens"] = values.pop("additional_special_tokens")
    if "added_tokens_decoder" in values:
        decoder = _decoder(values["added_tokens_decoder"], f"{config}: added_tokens_decoder")
    else:
        of_map = read_json(files, "special_tokens_map.json", where)
        legacy = _legacy(read_json(files, "added_tokens.json", where), values | _named(of_map), where)
        values = values | of_map
        decoder = legacy + in_json
    declared = (in_json if own is None else []) + _by_index(decoder)
    contents = {token.content for token in declared}
    added = declared + [token for token in _extra(values, own, where) if token.content not in contents]
    settings = Settings(_with_defaults(values, tokenizer_json, where), name, own, tuple(added), where)
    if own is not None:
        kept = {token.content for token in added}
        lost = [token for token in in_json if token.content not in kept and token.content not in own_special(settings)]
        if lost:
            raise InputError(
                f"{lost[0].source}: {brief(lost[0].content)} is not in added_tokens_decoder of tokenizer_config.json, "
                f"so that transformers 4 and 5 read it differently; expected it in both"
            )
    return settings


def class_name(values: Mapping[str, Any], where: str) -> str:
    """The tokenizer class that settings name, "" if none; slow and fast ones have one name.

    Raises:
        InputError: not a string.
    """
    found = values.get("tokenizer_class")
    if found is not None and not isinstance(found, str):
        raise InputError(f"{where}: tokenizer_class is {brief(found)}, expected a name")
    return (found or "").removesuffix("Fast")


def own_special(settings: Settings) -> frozenset[str]:
    """The special tokens that stay text where a text spells them.

    They are those that settings name by role (pad, cls, sep, mask, unk, bos, eos), and the class's own.
    """
    named = {token for name in _NAMED if (token := settings.token(name))}
    classes = (settings.own,) if settings.own else (BERT, ROBERTA, XLNET)
    return frozenset(named.union(*((*own.special, *own.extra, *own.ends) for own in classes)))


def special_ids(settings: Settings, id_of: Mapping[str, int]) -> dict[str, int]:
    """The ids of the special tokens, by role: under the names in the settings, or else the class's.

    Without a class the names are those of the class most of whose special tokens are in the vocabulary; where these are
    absent, the tokens that begin and end a text take the place of cls and sep, and the padding token takes that of the
    unknown token.

    Raises:
        InputError: a token that is not in the vocabulary.
    """
    known = [settings.own] if settings.own else [BERT, XLNET, ROBERTA]
    nearest = max(known, key=lambda own: sum(name in id_of for name in own.special))
    names = {
        role: settings.token(f"{role}_token") or default for role, default in zip(ROLES, nearest.special, strict=True)
    }
    if settings.own is None:
        # Decoders' vocabularies name only the ends of a text, and byte-level ones know every text.
        ends = {"cls": settings.token("bos_token"), "sep": settings.token("eos_token"), "unk": names["pad"]}
        names |= {role: other for role, other in ends.items() if other and names[role] not in id_of}
    for role, name in names.items():
        if name not in id_of:
            raise InputError(f"{settings.where}: the {role} token {brief(name)} is not in the vocabulary")
    if settings.own is XLM_ROBERTA:  # whose template holds bos and eos
        for role, other in (("cls", "bos_token"), ("sep", "eos_token")):
            if (settings.token(other) or names[role]) != names[role]:
                raise InputError(
                    f"{settings.where}: {other} {brief(settings.token(other))} differs from {role}_token "
                    f"{brief(names[role])}; {settings.own.name} needs one token for both"
                )
    return {role: id_of[name] for role, name in names.items()}


def read_json(files: Mapping[str, bytes], name: str, where: str) -> dict[str, Any]:
    """The object in a JSON file, {} if there is no such file.

    Raises:
        InputError: as `reading.text.parse_object`.
    """
    return parse_object(files[name], f"{where}/{name}") if name in files else {}


def brief(found: object, plain: bool = False) -> str:
    """A value as an error shows it: at most 100 characters."""
    text = str(found) if plain else repr(found) if isinstance(found, str) else json.dumps(found, default=repr)
    return text if len(text) <= 100 else f"{text[:80]}... ({len(text)} characters)"


def token_index(found: object, where: str) -> int:
    """A token id.

    Raises:
        InputError: not one, or not below MAX_IDS.
    """
    if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found < MAX_IDS:
        raise InputError(f"{where}: id {brief(found)}, expected a whole number from 0 to {MAX_IDS - 1}")
    return found


def _content(found: object, where: str) -> str:
    """The content of a token that is a string or an object with a content."""
    content = found.get("content") if isinstance(found, dict) else found
    if not isinstance(content, str) or not content:
        raise InputError(f"{where}: found {brief(found)}, expected a token")
    return content


def _token(found: object, index: int | None, source: str, special: bool | None = None) -> AddedToken:
    content = _content(found, source)
    flags = {}
    if isinstance(found, dict):
        flags = {
            name: found[name] for name in ("special", "normalized", "lstrip", "rstrip", "single_word") if name in found
        }
        wrong = next((name for name, flag in flags.items() if not isinstance(flag, bool)), None)
        if wrong:
            raise InputError(f"{source}: {wrong} of {brief(content)} is {brief(flags[wrong])}, expected true or false")
    return AddedToken(content, index, flags if special is None else flags | {"special": special}, source)


def _listed(found: object, source: str) -> list[AddedToken]:
    """The added_tokens of a tokenizer.json."""
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(token, dict) for token in found):
        raise InputError(f"{source}: found {brief(found)}, expected a list of objects")
    return [_token(token, token_index(token.get("id"), source), source) for token in found]


def _decoder(found: object, source: str) -> list[AddedToken]:
    """The added_tokens_decoder of a tokenizer_config.json: id -> token."""
    if not isinstance(found, dict) or not all(isinstance(token, dict) for token in found.values()):
        raise InputError(f"{source}: found {brief(found)}, expected an object of objects")
    indices = {key: int(key) if key.isascii() and key.isdigit() and len(key) < 20 else key for key in found}
    return [_token(token, token_index(indices[key], source), source) for key, token in found.items()]


def _legacy(found: Mapping[str, Any], values: Mapping[str, Any], where: str) -> list[AddedToken]:
    """added_tokens.json: token -> id. Tokens that settings name are special."""
    source = f"{where}/added_tokens.json"
    extra = values.get("extra_special_tokens")
    named = [values[name] for name in _NAMED if values.get(name)] + (list(extra) if isinstance(extra, list) else [])
    special = {_content(token, where) for token in named}
    return [
        AddedToken(
            _content(content, source),
            token_index(index, source),
            {"special": content in special, "normalized": content not in special},
            source,
        )
        for content, index in found.items()
    ]


def _named(values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that decide which tokens of added_tokens.json are special."""
    return {name: values[name] for name in (*_NAMED, "extra_special_tokens") if name in values}


def _by_index(tokens: Iterable[AddedToken]) -> list[AddedToken]:
    """Tokens in the order of their ids; the later one if a token is declared twice.

    Raises:
        InputError: two tokens with one id.
    """
    found: dict[Any, AddedToken] = {}
    for token in tokens:
        other = found.get(token.index, token)
        if other.content != token.content:
            raise InputError(
                f"{token.source}: {brief(token.content)} has id {token.index}, which is also the id of "
                f"{brief(other.content)}"
            )
        found[token.index] = token
    return [found[index] for index in sorted(found)]


def _extra(values: Mapping[str, Any], own: TokenizerClass | None, where: str) -> list[AddedToken]:
    """Special tokens that settings name without an id: model-specific ones (image_token), then the list of others."""
    names = {
        name: token
        for name, token in values.items()
        if name.endswith("_token") and name not in _NAMED and isinstance(token, (str, dict))
    }
    found = values.get("extra_special_tokens", values.get("additional_special_tokens"))
    if isinstance(found, dict):
        names, found = names | found, None
    if found is not None and not isinstance(found, list):
        raise InputError(f"{where}: additional_special_tokens is {brief(found)}, expected a list")
    listed = [("additional_special_tokens", token) for token in found or (own.extra if own else ())]
    return [_token(token, None, f"{where}: {name}", special=True) for name, token in [*names.items(), *listed]]


def _with_defaults(values: Mapping[str, Any], tokenizer_json: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Settings, checked and completed by the sides that tokenizer.json stores.

    Raises:
        InputError: a value of another type, or truncation on the left.
    """
    sides = {}
    for name in ("padding", "truncation"):
        stored = tokenizer_json.get(name)
        if isinstance(stored, dict) and isinstance(stored.get("direction"), str):
            sides[f"{name}_side"] = stored["direction"].lower()
    values = {**sides, **values}
    for name, expected in (("padding_side", ("left", "right")), ("truncation_side", ("right",))):
        if values.get(name, "right") not in expected:
            raise InputError(f"{where}: {name} is {brief(values[name])}, expected {' or '.join(map(repr, expected))}")
    names = values.get("model_input_names", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(
            f"{where}/tokenizer_config.json: model_input_names is {brief(names)}, expected a list of names"
        )
    pad_type = values.get("pad_token_type_id", 0)
    if isinstance(pad_type, bool) or not isinstance(pad_type, int) or not 0 <= pad_type < 1000:
        raise InputError(
            f"{where}/tokenizer_config.json: pad_token_type_id is {brief(pad_type)}, expected a token type"
        )
    return values
