"""Rust tokenizers: as a class of transformers 5 builds them from a vocabulary, or as tokenizer.json describes them."""

import base64
import binascii
import contextlib
import dataclasses
import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from itt_jax.data.sentencepieces import check_charsmap
from itt_jax.data.tokenizer_classes import DEBERTA_V2, XLNET
from itt_jax.data.tokenizer_settings import Settings, brief, own_special
from itt_jax.errors import InputError

PROBES = ("The Ärztin's café cost 3.50 (ca. 4) €", "LOUD e\u0301 ﬁne ½", "我爱北京 and Tokyo", "well-known ``quotes''")
"""Texts that every tokenizer encodes, and on which a tokenizer.json's own pipeline is compared with its class's."""

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Model:
    """A vocabulary before its tokenizer is built.

    Attributes:
        kind: WordPiece, BPE, Unigram or WordLevel.
        id_of: piece -> id.
        options: merges of BPE; scored (pieces with scores), unk_id and charsmap of Unigram.
    """

    kind: str
    id_of: Mapping[str, int]
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def class_tokenizer(model: Model, settings: Settings, content: Mapping[str, Any] | None) -> Any:
    """The tokenizer that a class of transformers 5 builds; where its tokenizer.json says otherwise, that is logged.

    Raises:
        InputError: a vocabulary or a setting from which no tokenizer can be built.
    """
    import tokenizers

    hidden = _hidden(model, own_special(settings))
    id_of = {hidden.get(piece, piece): i for piece, i in model.id_of.items()}
    unknown = settings.token("unk_token") or settings.known_class.special[-1]
    models = tokenizers.models
    rust: tokenizers.models.Model
    with refusing(settings.where):
        if model.kind == "WordPiece":
            rust = models.WordPiece(id_of, unk_token=hidden.get(unknown, unknown))
        elif model.kind == "BPE":
            rust = models.BPE(vocab=id_of, merges=model.options["merges"])
        else:
            scored = [(hidden.get(piece, piece), score) for piece, score in model.options["scored"]]
            rust = models.Unigram(scored, unk_id=model.options["unk_id"], byte_fallback=False)
        tokenizer = tokenizers.Tokenizer(rust)
        tokenizer.normalizer, tokenizer.pre_tokenizer = _pipeline(model, settings)
    if content is not None:
        _log_differences(content, tokenizer, settings)
    return tokenizer


def generic_tokenizer(model: Model, settings: Settings, content: dict[str, Any]) -> Any:
    """The tokenizer that tokenizer.json describes, without its added tokens and its post-processor.

    Raises:
        InputError: not a tokenizer.
    """
    import tokenizers

    where = f"{settings.where}/tokenizer.json"
    hidden = _hidden(model, own_special(settings))
    described = dict(content["model"])
    if model.kind == "Unigram":
        described["vocab"] = [[hidden.get(piece, piece), score] for piece, score in described["vocab"]]
    else:
        described["vocab"] = {hidden.get(piece, piece): i for piece, i in model.id_of.items()}
        unknown = described.get("unk_token")
        described["unk_token"] = hidden.get(unknown, unknown) if isinstance(unknown, str) else unknown
    for charsmap in _charsmaps(content.get("normalizer"), where):
        check_charsmap(charsmap, where)
    bare: dict[str, Any] = {"truncation": None, "padding": None, "post_processor": None, "added_tokens": []}
    bare["model"] = described
    with refusing(where):
        return tokenizers.Tokenizer.from_str(json.dumps(content | bare))


# Steps that process the text before a blank and the text after it separately, whatever their settings.
_PARTED_NORMALIZERS = {
    "BertNormalizer",
    "NFC",
    "NFD",
    "NFKC",
    "NFKD",
    "Lowercase",
    "StripAccents",
    "Nmt",
    "Precompiled",
}
_PARTED_SPLITS = {"BertPreTokenizer", "Whitespace", "WhitespaceSplit", "Metaspace", "ByteLevel"}
_WITHIN_PARTS = {"Punctuation", "Digits", "UnicodeScripts"}
_BLANKS_TO_ONE = ({"Regex": " {2,}"}, " ")


def parted_at_blanks(content: Mapping[str, Any]) -> bool:
    """Whether the steps of a tokenizer.json are known to treat the texts on both sides of a blank separately.

    A pattern may look across a blank ("New York"), and a text that is not split into words is one word.
    """
    splits = _steps(content.get("pre_tokenizer"), "pretokenizers")
    names = [step.get("type") for step in splits]
    parted = [
        step.get("type") in _PARTED_SPLITS and step.get("use_regex", True) and step.get("split", True)
        for step in splits
    ]
    within = all(own or name in _WITHIN_PARTS for own, name in zip(parted, names, strict=True))
    return any(parted) and within and all(map(_is_parted, _steps(content.get("normalizer"), "normalizers")))


def _is_parted(step: Mapping[str, Any]) -> bool:
    if step.get("type") != "Replace":
        return step.get("type") in _PARTED_NORMALIZERS
    pattern, new = step.get("pattern"), step.get("content")
    if (pattern, new) == _BLANKS_TO_ONE:
        return True
    words = [pattern.get("String") if isinstance(pattern, Mapping) else None, new]
    return all(isinstance(word, str) and not any(map(str.isspace, word)) for word in words)


def _steps(step: Any, inner: str) -> list[Mapping[str, Any]]:
    """The steps of a normalizer or pre-tokenizer, those of sequences one by one."""
    if not isinstance(step, Mapping):
        return []
    if step.get("type") != "Sequence":
        return [step]
    return [own for part in step.get(inner) or () for own in _steps(part, inner)]


def _hidden(model: Model, special: Iterable[str]) -> dict[str, str]:
    """Names for a vocabulary's special pieces that no text can match: with a blank, which never reaches the model.

    Pieces that a merge makes keep their names.
    """
    merged = {"".join(pair) for pair in model.options.get("merges", ()) if isinstance(pair, (list, tuple))}
    return {piece: f" {piece}" for piece in special if piece in model.id_of and piece not in merged}


def _pipeline(model: Model, settings: Settings) -> tuple[Any, Any]:
    """Normaliser (or None) and pre-tokenizer of a class of transformers 5."""
    from tokenizers import Regex, normalizers, pre_tokenizers

    charsmap = model.options.get("charsmap")
    if charsmap is not None:
        check_charsmap(charsmap, settings.where)
    compiled = [normalizers.Precompiled(charsmap)] if charsmap is not None else []
    normalizer: normalizers.Normalizer | None
    if model.kind == "WordPiece":
        normalizer = normalizers.BertNormalizer(
            clean_text=True,
            handle_chinese_chars=settings.flag("tokenize_chinese_chars", True),
            strip_accents=settings.flag("strip_accents", None),  # None: as lower-casing does
            lowercase=settings.flag("do_lower_case", True),
        )
        return normalizer, pre_tokenizers.BertPreTokenizer()
    if model.kind == "BPE":
        return None, pre_tokenizers.ByteLevel(add_prefix_space=settings.flag("add_prefix_space", False))
    scheme = "always"
    if settings.own is DEBERTA_V2:
        lower_case = [normalizers.Lowercase()] if settings.flag("do_lower_case", False) else []
        blanks = normalizers.Replace(Regex(r"\s{2,}|[\n\r\t]"), " ")
        ends = normalizers.Strip(left=False, right=True)
        split = settings.flag("split_by_punct", False)
        marks = [pre_tokenizers.Punctuation(behavior="isolated")] if split else []
        scheme = "always" if settings.flag("add_prefix_space", True) else "first"
        metaspace = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme=scheme)
        return (
            normalizers.Sequence([*lower_case, blanks, normalizers.NFC(), ends]),
            pre_tokenizers.Sequence([*marks, metaspace]),
        )
    if settings.own is XLNET:
        if settings.flag("keep_accents", False):
            log.warning("%s: keep_accents is ignored, as transformers 5 does: accents are removed", settings.where)
        lower_case = [normalizers.Lowercase()] if settings.flag("do_lower_case", False) else []
        quotes = [normalizers.Replace("``", '"'), normalizers.Replace("''", '"')]
        normalizer = normalizers.Sequence(
            [*quotes, normalizers.NFKD(), normalizers.StripAccents(), *lower_case, *compiled]
        )
    else:
        normalizer = compiled[0] if compiled else None
        scheme = "always" if settings.flag("add_prefix_space", True) else "never"
    metaspace = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme=scheme)
    return normalizer, pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), metaspace])


def _log_differences(content: Mapping[str, Any], tokenizer: Any, settings: Settings) -> None:
    """Log where tokenizer.json's pipeline, which transformers 4 follows, splits a text differently from its class."""
    import tokenizers

    parts = {name: content.get(name) for name in ("normalizer", "pre_tokenizer")}
    normalizer, pre_tokenizer = parts["normalizer"], parts["pre_tokenizer"]
    if isinstance(normalizer, dict) and normalizer.get("type") == "BertNormalizer":
        # transformers 4 too puts these settings over the file's
        normalizer |= json.loads(tokenizer.to_str())["normalizer"]
    if isinstance(pre_tokenizer, dict) and pre_tokenizer.get("type") == "ByteLevel":
        pre_tokenizer["add_prefix_space"] = settings.flag("add_prefix_space", False)
    toy = {"version": "1.0", "added_tokens": [], "model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}}
    with refusing(f"{settings.where}/tokenizer.json"):
        own = tokenizers.Tokenizer.from_str(json.dumps(toy | parts))
    for text in PROBES:
        if _split(own, text) != _split(tokenizer, text):
            log.warning(
                "%s/tokenizer.json: its normalizer and pre_tokenizer split %r differently from the class %s; read as "
                "transformers 5 does, by the class (transformers 4 follows the file)",
                settings.where,
                text,
                settings.known_class.name,
            )
            return


def _split(tokenizer: Any, text: str) -> list[str]:
    """The parts of a text that reach the model."""
    if tokenizer.normalizer is not None:
        text = tokenizer.normalizer.normalize_str(text)
    if tokenizer.pre_tokenizer is None:
        return [text]
    return [part for part, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text)]


def _charsmaps(normalizer: Any, where: str) -> list[bytes]:
    """The compiled normalisations of a tokenizer.json's normalizer."""
    if not isinstance(normalizer, dict):
        return []
    inner = normalizer.get("normalizers")
    found = [charsmap for part in (inner if isinstance(inner, list) else ()) for charsmap in _charsmaps(part, where)]
    if normalizer.get("type") == "Precompiled":
        try:
            found.append(base64.b64decode(normalizer["precompiled_charsmap"], validate=True))
        except (KeyError, binascii.Error, TypeError, ValueError):
            raise InputError(f"{where}: expected a precompiled_charsmap in base64") from None
    return found


def charsmap_of(normalizer: Any, where: str) -> bytes | None:
    """The first compiled normalisation of a tokenizer.json's normalizer, None if it has none."""
    return next(iter(_charsmaps(normalizer, where)), None)


@contextlib.contextmanager
def refusing(where: str) -> Iterator[None]:
    """Turns what the Rust library raises, bare exceptions and panics, into an InputError."""
    try:
        yield
    except (InputError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        message = f"{type(error).__name__}: {brief(str(error), plain=True)}"
        raise InputError(f"{where}: not a tokenizer ({message})") from None
