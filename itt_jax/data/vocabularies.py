"""Tokenizer files in Hugging Face's formats -> an encoding function, the pieces, the special ids and the layout.

Ids equal those of transformers' AutoTokenizer on the same directory. A class of `transformers` 5 builds its tokenizer
from the vocabulary and the settings; of tokenizer.json it takes no more than the vocabulary. A generic class takes all.
A sentencepiece model is read as transformers 5 converts it. That differs from the `sentencepiece` library, because
user-defined pieces (XLNet's `. ( ) " -`) are added tokens, and the Rust library normalises clusters one by one, so that
XLM-R loses some combining marks.

A directory's added tokens are recognised wherever a text has them. The model's own special tokens never are (see
`tokenizer_settings.own_special`): "[SEP]" or "<mask>" in data stays text.
"""

import dataclasses
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from itt_jax.data.layout import Layout, from_post_processor, from_template
from itt_jax.data.sentencepieces import Pieces, read_pieces
from itt_jax.data.tokenizer_classes import BERT, DEBERTA_V2, GENERIC, ROBERTA, XLM_ROBERTA, XLNET
from itt_jax.data.tokenizer_pipelines import (
    PROBES,
    Model,
    charsmap_of,
    class_tokenizer,
    generic_tokenizer,
    parted_at_blanks,
    refusing,
)
from itt_jax.data.tokenizer_settings import (
    AddedToken,
    Settings,
    brief,
    own_special,
    read_json,
    read_settings,
    special_ids,
    token_index,
)
from itt_jax.errors import InputError

Located = tuple[list[int], list[tuple[int, int]]]
"""The ids of a text, and for each the codepoints (start, stop) that it covers."""
Encode = Callable[[list[str]], list[list[int]]]
Locate = Callable[[list[str]], list[Located]]

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """The content of a tokenizer's files.

    Attributes:
        encode: whole texts -> a list of id lists, without special tokens.
        locate: whole texts -> the same ids, each list with the codepoints (start, stop) of the text that each token
            covers; blanks may be among them, and a token that is not in the text covers none (start = stop).
        pieces: the piece of each id ("" where an id has none).
        special: "pad", "cls", "sep", "mask", "unk" -> id.
        added: ids of added tokens that texts may have.
        layout: special tokens and token types of examples.
        by_chunk: whether a chunk's ids are the same in every text, so that a chunk table may be used. False with added
            tokens that contain or take in blanks, and where the steps of a tokenizer.json may look across blanks.
        word_mark: beginning of pieces that start a word, or None where "##" marks the others (WordPiece).
    """

    encode: Encode
    locate: Locate
    pieces: list[str]
    special: dict[str, int]
    added: tuple[int, ...]
    layout: Layout
    by_chunk: bool
    word_mark: str | None


def read_vocabulary(files: Mapping[str, bytes], where: str) -> Vocabulary:
    """The vocabulary in `files` (name -> content): tokenizer.json, or else the files of the tokenizer's class.

    Args:
        files: some of `tokenizer_settings.FILES`.
        where: what messages call them.

    Raises:
        InputError: no vocabulary among the files, a file that cannot be parsed, files of a tokenizer class that is not
            implemented, files that contradict one another, or a template without a summary token.
    """
    content = read_json(files, "tokenizer.json", where)
    settings = read_settings(files, content, where)
    if "tokenizer.json" in files:
        return _from_json(content, settings)
    present = [
        own for own in (XLNET, XLM_ROBERTA, DEBERTA_V2, BERT, ROBERTA) if all(name in files for name in own.files)
    ]
    if not present:
        raise InputError(
            f"{where}: no tokenizer files; expected vocab.txt, vocab.json with merges.txt, sentencepiece.bpe.model, "
            f"spiece.model, spm.model or tokenizer.json"
        )
    own = settings.own or present[0]
    if settings.name in GENERIC or not all(name in files for name in own.files):
        raise InputError(
            f"{where}: tokenizer_class {settings.name!r} without a tokenizer.json is not supported; "
            f"{present[0].files[0]} is read as {present[0].name}"
        )
    if settings.own is None:
        described = json.dumps({**settings.values, "tokenizer_class": own.name}).encode()
        named = {**files, "tokenizer_config.json": described}
        settings = read_settings(named, {}, where)
    if own.files == BERT.files:
        return _of_class(_lines(files["vocab.txt"], where), settings, {})
    if own.files == ROBERTA.files:
        return _of_class(_byte_pairs(files, where), settings, {})
    return _from_model(read_pieces(files[own.files[0]], f"{where}/{own.files[0]}"), settings)


def _lines(content: bytes, where: str) -> Model:
    """vocab.txt: one piece a line; a piece on two lines has the later id, as in `transformers`."""
    lines = _decoded(content, f"{where}/vocab.txt").split("\n")
    lines = [line.removesuffix("\r") for line in (lines[:-1] if lines[-1] == "" else lines)]
    for number, line in enumerate(lines, 1):
        if line != line.rstrip() or "\r" in line:
            raise InputError(f"{where}/vocab.txt, line {number}: {brief(line)} has white space, which no piece has")
    return Model("WordPiece", {line: i for i, line in enumerate(lines)})


def _byte_pairs(files: Mapping[str, bytes], where: str) -> Model:
    """vocab.json and merges.txt."""
    id_of = _ids(read_json(files, "vocab.json", where), f"{where}/vocab.json")
    lines = _decoded(files["merges.txt"], f"{where}/merges.txt").split("\n")
    lines = [line.removesuffix("\r") for line in lines]
    merges = [line for line in lines if line and not line.startswith("#version")]
    return Model("BPE", id_of, {"merges": _merges(merges, id_of, 0, f"{where}/merges.txt")})


def _from_model(content: Pieces, settings: Settings) -> Vocabulary:
    """A sentencepiece model as transformers 5 converts it.

    User-defined and control pieces become added tokens, except where the settings name additional special tokens.
    """
    scored, unk_id = content.scored, content.unk_id
    if settings.own is XLM_ROBERTA:
        usual = {"bos": "<s>", "pad": "<pad>", "eos": "</s>", "unk": "<unk>", "mask": "<mask>"}
        *first, mask = (settings.token(f"{name}_token") or default for name, default in usual.items())
        scored = [*((name, 0.0) for name in first), *scored[3:], (mask, 0.0)]
        unk_id = 3
    if "extra_special_tokens" not in settings.values:
        unnumbered = [
            token for token in settings.added if token.index is None and token.content not in own_special(settings)
        ]
        if unnumbered:
            raise InputError(
                f"{unnumbered[0].source}: transformers 5 adds no {brief(unnumbered[0].content)} to a sentencepiece "
                f"model; expected it in added_tokens.json"
            )
        known = {token.content for token in settings.added}
        extra = [
            AddedToken(piece, None, {"normalized": False, "special": special}, settings.known_class.files[0])
            for piece, special in content.marked
        ]
        extra = [token for token in extra if token.content not in known]
        settings = dataclasses.replace(settings, added=(*settings.added, *extra))
    id_of = {piece: i for i, (piece, _) in enumerate(scored)}
    if settings.own is DEBERTA_V2:
        unk_id = _unknown(scored, settings)
        mask = settings.token("mask_token") or DEBERTA_V2.special[3]
        if mask not in id_of and mask not in {token.content for token in settings.added}:
            # The authors' models leave it out; it takes the first id after the vocabulary.
            new = AddedToken(mask, None, {"normalized": False, "special": True}, settings.own.files[0])
            settings = dataclasses.replace(settings, added=(*settings.added, new))
    options = {"scored": scored, "unk_id": unk_id, "charsmap": content.charsmap}
    return _of_class(Model("Unigram", id_of, options), settings, {})


def _from_json(content: dict[str, Any], settings: Settings) -> Vocabulary:
    """tokenizer.json: all of it, or for a class of `transformers` its vocabulary."""
    where = f"{settings.where}/tokenizer.json"
    model = content.get("model")
    if not isinstance(model, dict):
        raise InputError(f"{where}: not a tokenizer (its model is {brief(model)})")
    kind = model.get("type") or ("Unigram" if "unk_id" in model else "BPE" if "merges" in model else "WordPiece")
    if settings.own is not None and kind != settings.own.model:
        raise InputError(
            f"{where}: holds a {brief(kind)} model, but the tokenizer class {settings.own.name} is a "
            f"{settings.own.model}; expected a tokenizer_class of PreTrainedTokenizerFast"
        )
    vocab = model.get("vocab")
    options: dict[str, Any] = {}
    if kind == "Unigram":
        if not isinstance(vocab, list) or not all(_is_scored(entry) for entry in vocab):
            raise InputError(f"{where}: not a tokenizer (expected a list of pieces and scores in its vocab)")
        id_of = {piece: i for i, (piece, _) in enumerate(vocab)}
        options["scored"] = [(piece, float(score)) for piece, score in vocab]
        options["unk_id"] = 3 if settings.own is XLM_ROBERTA else 0
        if settings.own is DEBERTA_V2:
            options["unk_id"] = _unknown(options["scored"], settings)
        options["charsmap"] = charsmap_of(content.get("normalizer"), where)
    else:
        id_of = _ids(vocab, where)
    if kind == "BPE":
        prefix = model.get("continuing_subword_prefix") or ""
        options["merges"] = _merges(model.get("merges"), id_of, len(prefix) if isinstance(prefix, str) else 0, where)
    own = Model(kind, id_of, options)
    if settings.own is None:
        tokenizer = generic_tokenizer(own, settings, content)
        return _vocabulary(tokenizer, own, settings, content.get("post_processor"), parted_at_blanks(content))
    return _of_class(own, settings, content)


def _merges(found: object, id_of: Mapping[str, int], prefix: int, where: str) -> list[tuple[str, str]]:
    """The merges of a byte-pair encoding, as pairs or as strings "a b".

    Args:
        prefix: length of the mark of pieces inside a word, which a merge drops from its second piece.

    Raises:
        InputError: not a list of them, or one whose pieces are not in the vocabulary, on which the Rust library panics.
    """
    if not isinstance(found, list):
        raise InputError(f"{where}: not a tokenizer (its merges are {brief(found)})")
    merges = [tuple(pair.split(" ")) if isinstance(pair, str) else pair for pair in found]
    for pair in merges:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2 or not all(isinstance(part, str) for part in pair):
            raise InputError(f"{where}: merge {brief(pair)}, expected two pieces")
        first, second = pair
        missing = next((piece for piece in (first, second, first + second[prefix:]) if piece not in id_of), None)
        if missing is not None:
            raise InputError(f"{where}: merge {brief(pair)}, but {brief(missing)} is not in the vocabulary")
    return [tuple(pair) for pair in merges]


def _of_class(model: Model, settings: Settings, content: Mapping[str, Any]) -> Vocabulary:
    """The vocabulary of a class; `content` is that of its tokenizer.json, {} if it has none."""
    tokenizer = class_tokenizer(model, settings, content or None)
    # DeBERTa's joins blanks and line ends to one blank, across words.
    return _vocabulary(tokenizer, model, settings, content.get("post_processor"), settings.own is not DEBERTA_V2)


def _unknown(scored: list[tuple[str, float]], settings: Settings) -> int:
    """The id of the unknown piece of a DeBERTa's vocabulary."""
    piece = (settings.token("unk_token") or DEBERTA_V2.special[-1], 0.0)
    return scored.index(piece) if piece in scored else 1


def _is_scored(entry: object) -> bool:
    return (
        isinstance(entry, list)
        and len(entry) == 2
        and isinstance(entry[0], str)
        and isinstance(entry[1], (int, float))
        and not isinstance(entry[1], bool)
    )


def _vocabulary(
    tokenizer: Any, model: Model, settings: Settings, post_processor: Any, parted: bool = True
) -> Vocabulary:
    """A Rust tokenizer with the added tokens, the special ids and the layout.

    Raises:
        InputError: an added token whose id is not the one that the library gives it, or texts that cannot be encoded.
    """
    import tokenizers

    own = own_special(settings)
    id_of = dict(model.id_of)
    users = {}
    for token in settings.added:
        if token.content in id_of and token.content in own:
            continue
        # The model's own special token, if not in the vocabulary, gets the next id, under a name that no text has.
        name = f"\ufdd0\ufdd1{token.content}" if token.content in own else token.content
        tokenizer.add_tokens([tokenizers.AddedToken(name, **token.flags)])
        id_of[token.content] = tokenizer.token_to_id(name)
        if token.content not in own:
            users[token.content] = token
    for token in settings.added:
        if token.index not in (None, id_of[token.content]):
            raise InputError(
                f"{token.source}: {brief(token.content)} has id {token.index}, but in this vocabulary it is "
                f"{id_of[token.content]}"
            )
    if settings.flag("split_special_tokens", False):
        tokenizer.encode_special_tokens = True
    special = special_ids(settings, id_of)
    encode, locate = _rust(tokenizer), _rust_located(tokenizer)
    with refusing(settings.where):
        encode([*PROBES, "\U0010fffd"])
    by_chunk = parted and not any(
        " " in token.content or token.flags.get("lstrip") or token.flags.get("rstrip") for token in users.values()
    )
    bytewise = model.kind == "BPE" and any(piece.startswith("Ġ") for piece in model.id_of)
    mark = None if model.kind == "WordPiece" else "Ġ" if bytewise else "▁"
    layout = _layout(special, settings, post_processor)
    added = tuple(id_of[content] for content in users)
    return Vocabulary(encode, locate, _pieces(id_of), special, added, layout, by_chunk, mark)


def _layout(special: Mapping[str, int], settings: Settings, post_processor: Any) -> Layout:
    """The layout of examples: by the class's template, or else by the post-processor.

    Token types are kept where transformers 5 gives them to the model: by `model_input_names` in the settings, or by
    the class.

    Raises:
        InputError: a template without the summary token.
    """
    own, values = settings.own, settings.values
    where = f"{settings.where}/tokenizer.json"
    if own is None:
        single, pair = from_post_processor(post_processor, where)
    else:
        single, pair = from_template(own.single, own.pair, special)
    for parts in (single, pair):
        if special["cls"] not in [part.special_id for part in parts]:
            raise InputError(
                f"{settings.where}: the tokenizer's template adds no summary token; expected the cls token "
                f"(id {special['cls']}) in a post_processor of tokenizer.json"
            )
    left = values.get("padding_side", "left" if own is not None and own.context_first else "right") == "left"
    pad_type = values.get("pad_token_type_id", own.pad_type if own else 0)
    layout = Layout(single, pair, special["cls"], special["pad"], pad_type, left)
    types = own is not None and own.types
    if "model_input_names" in values:
        types = "token_type_ids" in values["model_input_names"]
    if own is not None and post_processor is not None:
        of_file = from_post_processor(post_processor, where)
        if [[part.special_id for part in parts] for parts in of_file] != [
            [part.special_id for part in parts] for parts in (single, pair)
        ]:
            log.warning(
                "%s: its post_processor lays out examples differently from the class %s; laid out as transformers 5 "
                "does, by the class (transformers 4 follows the file)",
                where,
                own.name,
            )
    return layout if types else layout.without_types()


def _ids(found: object, where: str) -> dict[str, int]:
    """A vocabulary: piece -> id.

    Raises:
        InputError: not one, or two pieces with one id.
    """
    if not isinstance(found, dict):
        raise InputError(f"{where}: not a tokenizer (its vocab is {brief(type(found).__name__, plain=True)})")
    id_of = {piece: token_index(index, f"{where}: {brief(piece)}") for piece, index in found.items()}
    if len(set(id_of.values())) < len(id_of):
        pieces: dict[int, str] = {}
        for piece, index in id_of.items():
            if pieces.setdefault(index, piece) != piece:
                raise InputError(f"{where}: {brief(piece)} and {brief(pieces[index])} both have id {index}")
    return id_of


def _decoded(content: bytes, where: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InputError(f"{where}, line {line}: not UTF-8 (byte {error.start})") from None


def _pieces(id_of: Mapping[str, int]) -> list[str]:
    pieces = [""] * (max(id_of.values()) + 1)
    for piece, index in id_of.items():
        pieces[index] = piece
    return pieces


def _rust(tokenizer) -> Callable[[list[str]], list[list[int]]]:
    """Ids of texts, by the library `tokenizers`."""

    def encode(texts: list[str]) -> list[list[int]]:
        ids: list[list[int]] = []
        for i in range(0, len(texts), 8192):  # encodings are large: keep few alive
            batch = tokenizer.encode_batch_fast(texts[i : i + 8192], add_special_tokens=False)
            ids.extend(encoding.ids for encoding in batch)
        return ids

    return encode


def _rust_located(tokenizer) -> Callable[[list[str]], list[Located]]:
    """The same ids, each with the codepoints that it covers."""

    def locate(texts: list[str]) -> list[Located]:
        found: list[Located] = []
        for i in range(0, len(texts), 8192):
            batch = tokenizer.encode_batch(texts[i : i + 8192], add_special_tokens=False)
            found.extend((encoding.ids, encoding.offsets) for encoding in batch)
        return found

    return locate
