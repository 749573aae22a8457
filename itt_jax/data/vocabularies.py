"""Tokenizer files in Hugging Face's formats -> an encoding function, the pieces, the special ids and the layout.

WordPiece and BPE files are read by the Rust `tokenizers` library, sentencepiece models by the `sentencepiece` library
itself: transformers' converted XLNet tokenizer makes added tokens of `. ( ) " -` and so differs from it, and its
converted XLM-R reads combining marks differently (no difference in 29,880 clean sentences, 3.7 % of edited ones).
Strings such as "[SEP]" or "<mask>" in data never become special ids: no added special token is ever registered.
"""

import dataclasses
import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

from itt_jax.data.layout import Layout, from_post_processor, from_template
from itt_jax.errors import InputError

FILES = (
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "sentencepiece.bpe.model",
    "spiece.model",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
)
ROLES = ("pad", "cls", "sep", "mask", "unk")
Located = tuple[list[int], list[tuple[int, int]]]
"""The ids of a text, and for each the codepoints (start, stop) it stands for."""


@dataclasses.dataclass(frozen=True)
class _Class:
    """What a tokenizer class of `transformers` implies where files do not say it.

    Attributes:
        special: names of its special tokens, in the order of ROLES.
        single, pair: its templates (see `layout.from_template`).
        types: whether it gives token type ids to the model.
        pad_type: token type id of padding. context_first: it pads on the left.
    """

    special: tuple[str, ...]
    single: str
    pair: str
    types: bool
    pad_type: int = 0
    context_first: bool = False


_BERT = _Class(
    ("[PAD]", "[CLS]", "[SEP]", "[MASK]", "[UNK]"), "cls:0 A:0 sep:0", "cls:0 A:0 sep:0 B:1 sep:1", types=True
)
_ROBERTA = _Class(
    ("<pad>", "<s>", "</s>", "<mask>", "<unk>"), "cls:0 A:0 sep:0", "cls:0 A:0 sep:0 sep:0 B:0 sep:0", types=False
)
# transformers 5 no longer passes on XLNet's token types, with which the model was trained; 4 does.
_XLNET = _Class(
    ("<pad>", "<cls>", "<sep>", "<mask>", "<unk>"),
    "A:0 sep:0 cls:2",
    "A:0 sep:0 B:1 sep:1 cls:2",
    types=True,
    pad_type=3,
    context_first=True,
)
_CLASSES = {
    "BertTokenizer": _BERT,
    "RobertaTokenizer": _ROBERTA,
    "XLMRobertaTokenizer": _ROBERTA,
    "XLNetTokenizer": _XLNET,
}
# Classes that leave everything to tokenizer.json and pass on no token types unless `model_input_names` has them.
_GENERIC = ("PreTrainedTokenizer", "TokenizersBackend")


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """The content of a tokenizer's files.

    Attributes:
        encode: whole texts -> a list of id lists, without special tokens.
        locate: whole texts -> the same ids, each list with the codepoints (start, stop) of the text that each token
            stands for; blanks may be among them, and an added token stands for none (start = stop).
        pieces: the piece of each id ("" where an id has none).
        special: "pad", "cls", "sep", "mask", "unk" -> id.
        layout: special tokens and token types of examples.
        by_chunk: whether a chunk's ids are the same in every text, so that a chunk table may be used. Not so for the
            sentencepiece library: between two segmentations with the same pieces in another order ("...." as "..."
            and ".") its choice depends on the rounding of the score so far. It is as fast as the table (115,000 edited
            sentences a second on one core), so nothing is lost.
        word_mark: beginning of pieces that start a word, or None where "##" marks the others (WordPiece).
    """

    encode: Callable[[list[str]], list[list[int]]]
    locate: Callable[[list[str]], list[Located]]
    pieces: list[str]
    special: dict[str, int]
    layout: Layout
    by_chunk: bool
    word_mark: str | None


def read_vocabulary(files: Mapping[str, bytes], where: str) -> Vocabulary:
    """The vocabulary in `files` (name -> content).

    A sentencepiece model is preferred to tokenizer.json, tokenizer.json to vocab.txt or vocab.json.

    Args:
        files: some of `FILES`.
        where: what to call them in messages.

    Raises:
        InputError: no vocabulary among the files, a file that cannot be parsed, files of a tokenizer class that is not
            implemented, a special token without an id, or a template without a summary token.
    """
    settings = _json(files, "tokenizer_config.json", where) | _json(files, "special_tokens_map.json", where)
    named = _class_name(settings)
    readers = {
        "spiece.model": ("XLNetTokenizer", lambda: _xlnet(files["spiece.model"], settings, where)),
        "sentencepiece.bpe.model": (
            "XLMRobertaTokenizer",
            lambda: _xlm_roberta(files["sentencepiece.bpe.model"], settings, where),
        ),
        "tokenizer.json": (named, lambda: _tokenizer_json(_json(files, "tokenizer.json", where), settings, where)),
        "vocab.txt": ("BertTokenizer", lambda: _bert(files["vocab.txt"], settings, where)),
        "merges.txt": (
            "RobertaTokenizer",
            lambda: _roberta(_json(files, "vocab.json", where), files["merges.txt"], settings, where),
        ),
    }
    found = [name for name in readers if name in files and (name != "merges.txt" or "vocab.json" in files)]
    for name in found:
        own, read = readers[name]
        if named in (own, "", *_GENERIC):
            return read()
    if found:
        raise InputError(
            f"{where}: tokenizer_class {named!r} without a tokenizer.json is not supported; {found[0]} is read as "
            f"{readers[found[0]][0]}"
        )
    raise InputError(
        f"{where}: no tokenizer files; expected vocab.txt, vocab.json with merges.txt, sentencepiece.bpe.model, "
        f"spiece.model or tokenizer.json"
    )


def _json(files: Mapping[str, bytes], name: str, where: str) -> dict:
    if name not in files:
        return {}
    try:
        content = json.loads(files[name])
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{where}/{name}: not JSON ({error})") from None
    if not isinstance(content, dict):
        raise InputError(f"{where}/{name}: found {type(content).__name__}, expected an object")
    return content


def _special_ids(named: _Class | None, id_of: Mapping[str, int], settings: Mapping, where: str) -> dict[str, int]:
    """The ids of the special tokens, by role: under the names in the settings, or else the class's.

    Without a class the names are those of the class most of whose special tokens are in the vocabulary.
    """
    known = [named] if named else list(dict.fromkeys([_BERT, _XLNET, _ROBERTA]))
    nearest = max(known, key=lambda own: sum(name in id_of for name in own.special))
    ids = {}
    for role, default in zip(ROLES, nearest.special, strict=True):
        name = settings.get(f"{role}_token") or default
        name = name["content"] if isinstance(name, dict) else name
        if name not in id_of:
            raise InputError(f"{where}: the {role} token {name!r} is not in the vocabulary")
        ids[role] = id_of[name]
    return ids


def _layout(
    named: _Class | None,
    special: Mapping[str, int],
    settings: Mapping,
    where: str,
    post_processor: dict | None = None,
) -> Layout:
    """The layout of examples: by the post-processor, or else by the class's template.

    Token types are kept where the tokenizer gives them to the model: by `model_input_names` in the settings, or else by
    its class; files that name no class keep them.

    Raises:
        InputError: a template without the summary token.
    """
    if post_processor is None and named is not None:
        single, pair = from_template(named.single, named.pair, special)
    else:
        single, pair = from_post_processor(post_processor, f"{where}/tokenizer.json")
    for parts in (single, pair):
        if special["cls"] not in [part.special_id for part in parts]:
            raise InputError(
                f"{where}: the tokenizer's template adds no summary token; expected the cls token "
                f"(id {special['cls']}) in a post_processor of tokenizer.json"
            )
    left = settings.get("padding_side", "left" if named is not None and named.context_first else "right") == "left"
    pad_type = settings.get("pad_token_type_id", named.pad_type if named else 0)
    layout = Layout(single, pair, special["cls"], special["pad"], pad_type, left)
    types = named.types if named is not None else _class_name(settings) not in _GENERIC
    if "model_input_names" in settings:
        types = "token_type_ids" in settings["model_input_names"]
    return layout if types else layout.without_types()


def _class_name(settings: Mapping) -> str:
    """The tokenizer class that the settings name, "" if none; slow and fast ones have one name."""
    return str(settings.get("tokenizer_class") or "").removesuffix("Fast")


def _pieces(id_of: Mapping[str, int]) -> list[str]:
    pieces = [""] * (max(id_of.values()) + 1)
    for piece, index in id_of.items():
        pieces[index] = piece
    return pieces


def _rust(tokenizer) -> Callable[[list[str]], list[list[int]]]:
    def encode(texts: list[str]) -> list[list[int]]:
        ids: list[list[int]] = []
        for i in range(0, len(texts), 8192):  # encodings are large: keep few alive
            batch = tokenizer.encode_batch_fast(texts[i : i + 8192], add_special_tokens=False)
            ids.extend(encoding.ids for encoding in batch)
        return ids

    return encode


def _rust_located(tokenizer) -> Callable[[list[str]], list[Located]]:
    def locate(texts: list[str]) -> list[Located]:
        found: list[Located] = []
        for i in range(0, len(texts), 8192):
            batch = tokenizer.encode_batch(texts[i : i + 8192], add_special_tokens=False)
            found.extend((encoding.ids, encoding.offsets) for encoding in batch)
        return found

    return locate


def _bert(vocabulary: bytes, settings: Mapping, where: str) -> Vocabulary:
    import tokenizers

    lines = vocabulary.decode("utf-8").split("\n")
    id_of = {line.removesuffix("\r"): i for i, line in enumerate(lines[:-1] if lines[-1] == "" else lines)}
    special = _special_ids(_BERT, id_of, settings, where)
    unknown = _pieces(id_of)[special["unk"]]
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordPiece(id_of, unk_token=unknown))
    tokenizer.normalizer = tokenizers.normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=settings.get("tokenize_chinese_chars", True),
        strip_accents=settings.get("strip_accents"),  # None: as lower-casing does
        lowercase=settings.get("do_lower_case", True),
    )
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    layout = _layout(_BERT, special, settings, where)
    return Vocabulary(_rust(tokenizer), _rust_located(tokenizer), _pieces(id_of), special, layout, True, None)


def _roberta(id_of: Mapping[str, int], merges: bytes, settings: Mapping, where: str) -> Vocabulary:
    import tokenizers

    lines = [line for line in merges.decode("utf-8").split("\n") if line and not line.startswith("#version")]
    pairs = [tuple(line.split(" ")) for line in lines]
    if any(len(pair) != 2 for pair in pairs):
        raise InputError(f"{where}/merges.txt: expected two pieces on each line")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=dict(id_of), merges=pairs))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(
        add_prefix_space=settings.get("add_prefix_space", False)
    )
    special = _special_ids(_ROBERTA, id_of, settings, where)
    layout = _layout(_ROBERTA, special, settings, where)
    return Vocabulary(_rust(tokenizer), _rust_located(tokenizer), _pieces(id_of), special, layout, True, "Ġ")


def _tokenizer_json(content: dict, settings: Mapping, where: str) -> Vocabulary:
    import tokenizers

    added = content.get("added_tokens") or []
    special = [token for token in added if token.get("special")]
    post_processor = content.get("post_processor")
    content = content | {"truncation": None, "padding": None, "post_processor": None}
    kept = [token for token in added if not token.get("special")]
    try:
        model = content["model"]
        kind = model.get("type") or ("Unigram" if "unk_id" in model else "BPE" if "merges" in model else "WordPiece")
        if kind == "Unigram":
            id_of = {piece: i for i, (piece, _) in enumerate(model["vocab"])}
            hidden = {token["content"] for token in special}
            # No blank reaches the model, so a piece that contains one is never found in text.
            vocab = [[f" {piece}" if piece in hidden else piece, score] for piece, score in model["vocab"]]
            content["model"] = model | {"vocab": vocab}
            kept = [token for token in kept if token["content"] not in id_of]  # XLNet's `. ( ) " -`
        else:
            id_of = dict(model["vocab"])
        tokenizer = tokenizers.Tokenizer.from_str(json.dumps(content | {"added_tokens": kept}))
    except Exception as error:  # the Rust library raises bare Exception
        raise InputError(f"{where}/tokenizer.json: not a tokenizer ({type(error).__name__}: {error})") from None
    id_of |= {token["content"]: token["id"] for token in added}
    named = _CLASSES.get(_class_name(settings))
    roles = _special_ids(named, id_of, settings, where)
    layout = _layout(named, roles, settings, where, post_processor)
    mark = {"WordPiece": None, "BPE": "Ġ"}.get(kind, "▁")
    return Vocabulary(_rust(tokenizer), _rust_located(tokenizer), _pieces(id_of), roles, layout, True, mark)


def _sentencepiece(model: bytes, where: str) -> Any:
    import sentencepiece

    try:
        return sentencepiece.SentencePieceProcessor(model_proto=model)
    except (RuntimeError, OSError) as error:
        raise InputError(f"{where}: not a sentencepiece model ({error})") from None


def _xlm_roberta(model: bytes, settings: Mapping, where: str) -> Vocabulary:
    """fairseq's ids: <s> 0, <pad> 1, </s> 2, <unk> 3, then the model's pieces from its fourth on, <mask> last."""
    processor = _sentencepiece(model, f"{where}/sentencepiece.bpe.model")
    own = processor.id_to_piece(list(range(processor.get_piece_size())))
    pieces = ["<s>", "<pad>", "</s>", "<unk>", *own[3:], "<mask>"]
    special = {"cls": 0, "pad": 1, "sep": 2, "unk": 3, "mask": len(pieces) - 1}

    def encode(texts: list[str]) -> list[list[int]]:
        return [[i + 1 if i else 3 for i in ids] for ids in processor.encode(texts)]

    def locate(texts: list[str]) -> list[Located]:
        found = processor.encode(texts, return_type="offset_mapping")
        return [([i + 1 if i else 3 for i in text["ids"]], text["offsets"]) for text in found]

    layout = _layout(_ROBERTA, special, settings, where)
    return Vocabulary(encode, locate, pieces, special, layout, False, "▁")


def _xlnet(model: bytes, settings: Mapping, where: str) -> Vocabulary:
    """The sentencepiece library's ids, after `xlnet_text`.

    <eop> is a user-defined symbol of XLNet's published model, so "<eop>" in a text becomes that piece, as in the
    library itself; every other special string stays text.
    """
    processor = _sentencepiece(model, f"{where}/spiece.model")
    pieces = processor.id_to_piece(list(range(processor.get_piece_size())))
    special = _special_ids(_XLNET, {piece: i for i, piece in enumerate(pieces)}, settings, where)
    lower_case, keep_accents = settings.get("do_lower_case", False), settings.get("keep_accents", False)

    def encode(texts: list[str]) -> list[list[int]]:
        return processor.encode([xlnet_text(text, lower_case, keep_accents) for text in texts])

    def locate(texts: list[str]) -> list[Located]:
        prepared = [xlnet_sources(text, lower_case, keep_accents) for text in texts]
        found = processor.encode([text for text, _ in prepared], return_type="offset_mapping")
        return [
            (
                text["ids"],
                [(own[start], own[stop - 1] + 1 if stop > start else own[start]) for start, stop in text["offsets"]],
            )
            for text, (_, own) in zip(found, prepared, strict=True)
        ]

    layout = _layout(_XLNET, special, settings, where)
    return Vocabulary(encode, locate, pieces, special, layout, False, "▁")


def xlnet_text(text: str, lower_case: bool = False, keep_accents: bool = False) -> str:
    """XLNet's preparation of a text (`preprocess_text` in zihangdai/xlnet; Hugging Face's default).

    White space is trimmed and each run of it becomes one blank; `` and '' become "; then NFKD, without combining
    characters (canonical class not 0), unless `keep_accents`; then lower case if `lower_case`.
    """
    text = " ".join(text.split()).replace("``", '"').replace("''", '"')
    if not keep_accents and not text.isascii():
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return text.lower() if lower_case else text


def xlnet_sources(text: str, lower_case: bool = False, keep_accents: bool = False) -> tuple[str, list[int]]:
    """`xlnet_text` of a text, with the index in the text that each of its codepoints comes from, and of the end.

    Decomposition and lower case work codepoint by codepoint, except for the order of combining characters, which are
    removed, and the form of a final sigma, which is as long.
    """
    places: list[int] = []
    for word in re.finditer(r"\S+", text):
        places += [word.start() - 1] * bool(places) + list(range(word.start(), word.end()))
    joined = " ".join(text.split())
    starts = [part.start() for part in re.finditer(r"``|''|.", joined, re.DOTALL)]
    plain = joined.replace("``", '"').replace("''", '"')
    sources: list[int] = []
    for character, start in zip(plain, starts, strict=True):
        made = character
        if not keep_accents:
            made = "".join(c for c in unicodedata.normalize("NFKD", made) if not unicodedata.combining(c))
        sources += [places[start]] * len(made.lower() if lower_case else made)
    return xlnet_text(text, lower_case, keep_accents), [*sources, len(text)]
