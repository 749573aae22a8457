"""Texts in, token ids out: one tokenizer for every format, over a chunk table that checks itself."""

import functools
import hashlib
import json
import logging
import pathlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from itt_jax.data import vocabularies
from itt_jax.data.chunks import ChunkTable
from itt_jax.data.tokenizer_classes import CLASSES, XLNET, class_beside, class_instead
from itt_jax.data.tokenizer_settings import FILES, class_name, read_json
from itt_jax.errors import InputError
from itt_jax.files import exists, read_bytes
from itt_jax.ragged import Ragged, offsets_of

_CHECKED = 8  # texts of each call that are also encoded whole
# Scripts written without blanks, where a sentencepiece piece is the closest unit to a word (codepoint ranges).
_UNSPACED = ((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3040, 0x30FF), (0x3400, 0x9FFF))

log = logging.getLogger(__name__)


class Tokenizer:
    """A tokenizer: its ids and the layout of its examples.

    Attributes:
        layout: special tokens and token types of examples.
        vocabulary_size: number of ids; pad_id, cls_id, sep_id, mask_id, unk_id: the special ids.
        checked, mismatched: number of texts compared with their whole encoding, and of those that differed, by
            language.

    Args:
        files: name -> content of the tokenizer's files (`tokenizer_settings.FILES`).
        where: what messages call them.
    """

    def __init__(self, files: Mapping[str, bytes], where: str = "tokenizer"):
        self._files = dict(files)
        self._vocabulary = vocabularies.read_vocabulary(self._files, where)
        self._table = ChunkTable(self._vocabulary.encode) if self._vocabulary.by_chunk else None
        self.layout = self._vocabulary.layout
        self.vocabulary_size = len(self._vocabulary.pieces)
        special = self._vocabulary.special
        self.pad_id, self.cls_id, self.sep_id = special["pad"], special["cls"], special["sep"]
        self.mask_id, self.unk_id = special["mask"], special["unk"]
        self.checked: Counter[str] = Counter()
        self.mismatched: Counter[str] = Counter()

    def __reduce__(self):
        return Tokenizer, (self._files,)

    @functools.cached_property
    def fingerprint(self) -> str:
        """Hex digest of the tokenizer's files."""
        digest = hashlib.sha256()
        for name in sorted(self._files):
            digest.update(f"{name} {len(self._files[name])}\n".encode())
            digest.update(self._files[name])
        return digest.hexdigest()

    @property
    def pieces(self) -> list[str]:
        """The piece of each id."""
        return self._vocabulary.pieces

    @property
    def plain_pieces(self) -> tuple[list[str], np.ndarray]:
        """The piece of each id without its mark, and bool [V]: whether its mark, or the lack of one, begins a word."""
        mark = self._vocabulary.word_mark
        marked = np.array([piece.startswith(mark or "##") for piece in self.pieces], bool)
        return [piece.removeprefix(mark or "##") for piece in self.pieces], marked if mark else ~marked

    @property
    def special_ids(self) -> list[int]:
        """Ids of special and added tokens."""
        return sorted({*self._vocabulary.special.values(), *self._vocabulary.added})

    def encode(self, texts: Sequence[str], language: str = "") -> Ragged:
        """Token ids, equal to `encode_whole`; through the chunk table where the tokenizer has one.

        A sample of the call's texts is also encoded whole. If one differs, the difference is logged and counted under
        `language`, and all texts of the call are encoded whole.

        Raises:
            InputError: a text with a lone surrogate, which no tokenizer can read.
        """
        texts = list(texts)
        if self._table is None:
            return self.encode_whole(texts)
        try:
            ids, lengths = self._table.encode(texts)
        except (UnicodeError, TypeError, AttributeError) as error:
            raise _unreadable(texts, error) from None
        tokens = Ragged(ids, offsets_of(lengths))
        sample = _sample(texts)
        whole = self.encode_whole([texts[i] for i in sample])
        wrong = [i for k, i in enumerate(sample) if not np.array_equal(tokens[i], whole[k])]
        self.checked[language] += len(sample)
        if wrong:
            self.mismatched[language] += len(wrong)
            log.warning("chunk table differs from whole encoding (language %r): %r", language, texts[wrong[0]][:200])
            return self.encode_whole(texts)
        return tokens

    def encode_whole(self, texts: Sequence[str]) -> Ragged:
        """Token ids of each text encoded whole: the reference."""
        texts = list(texts)
        try:
            encoded = self._vocabulary.encode(texts)
        except (UnicodeError, TypeError, AttributeError) as error:
            raise _unreadable(texts, error) from None
        lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
        ids = np.fromiter((i for text in encoded for i in text), np.int32, int(lengths.sum()))
        return Ragged(ids, offsets_of(lengths))

    @property
    def by_chunk(self) -> bool:
        """Whether the tokens of a chunk of text are the same in every text (see `data.chunks`)."""
        return self._vocabulary.by_chunk

    def locate_whole(self, texts: Sequence[str]) -> list[vocabularies.Located]:
        """Ids of each text encoded whole, with the codepoints of each token (see `vocabularies.Vocabulary`)."""
        texts = list(texts)
        try:
            return self._vocabulary.locate(texts)
        except (UnicodeError, TypeError, AttributeError) as error:
            raise _unreadable(texts, error) from None

    def word_starts(self, ids: np.ndarray) -> np.ndarray:
        """Which ids start a word: bool, the shape of `ids`; special ids and added tokens do.

        The first id of a text starts a word even where its piece does not show it (RoBERTa); the caller adds that. In
        scripts written without blanks each sentencepiece piece counts as a word.
        """
        return self._starts[ids]

    @functools.cached_property
    def _starts(self) -> np.ndarray:
        mark = self._vocabulary.word_mark
        if mark is None:
            starts = np.array([not piece.startswith("##") for piece in self.pieces])
        else:
            starts = np.array([piece.startswith(mark) for piece in self.pieces])
        if mark == "▁":
            first = np.array([ord(piece[0]) if piece else 0 for piece in self.pieces])
            starts |= np.any([(first >= low) & (first <= high) for low, high in _UNSPACED], axis=0)
        starts[[*self._vocabulary.special.values(), *self._vocabulary.added]] = True
        return starts

    def save(self, directory: str | pathlib.Path) -> None:
        """Writes the files that `load_tokenizer` and transformers' AutoTokenizer read."""
        directory = pathlib.Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        for name, content in self._files.items():
            (directory / name).write_bytes(content)


def load_tokenizer(directory: str | pathlib.Path) -> Tokenizer:
    """The tokenizer in a directory in Hugging Face's format.

    Where no tokenizer file names a class, the class in the encoder's config.json is added to them: AutoTokenizer reads
    tokenizer.json and vocabularies by it, and the files may be saved without their encoder.

    Raises:
        InputError: no such directory, or files that are not a tokenizer's.
    """
    directory = pathlib.Path(directory)
    if not directory.is_dir():
        raise InputError(f"{directory}: no such directory, expected one with tokenizer files")
    return Tokenizer(_read_files(directory), str(directory))


def reading_version(directory: str | pathlib.Path) -> int:
    """Version of the way a directory's tokenizer files are read, part of ids; raised whenever they give other examples.

    2 for sentencepiece models without tokenizer.json, and for files of XLNetTokenizer or of no class, whose token types
    are not given to the model.
    """
    files = _read_files(pathlib.Path(directory))
    settings = read_json(files, "tokenizer_config.json", str(directory))
    if "tokenizer.json" not in files:
        return 2 if any(name.endswith(".model") for name in files) else 1
    untyped = class_name(settings, str(directory)) in ("", XLNET.name) and "model_input_names" not in settings
    return 2 if untyped else 1


def _read_files(directory: pathlib.Path) -> dict[str, bytes]:
    """A directory's tokenizer files, with the class that its config.json implies."""
    files = {name: read_bytes(directory / name) for name in FILES if exists(directory / name)}
    config = directory / "config.json"
    if files and exists(config):
        settings = read_json(files, "tokenizer_config.json", str(directory))
        values = read_json({"config.json": read_bytes(config)}, "config.json", str(directory))
        implied, instead = class_beside(values), class_instead(values)
        if instead and "tokenizer.json" in files and class_name(settings, str(directory)) != instead:
            settings["tokenizer_class"] = instead
            files["tokenizer_config.json"] = json.dumps(settings, indent=1, ensure_ascii=False).encode()
        if implied and not class_name(settings, str(directory)) and not _says_as_much(files, implied):
            settings["tokenizer_class"] = implied
            files["tokenizer_config.json"] = json.dumps(settings, indent=1, ensure_ascii=False).encode()
    return files


def _says_as_much(files: Mapping[str, bytes], implied: str) -> bool:
    """Whether files without a class are read by the class `implied` anyway."""
    return (
        "tokenizer.json" not in files and implied in CLASSES and all(name in files for name in CLASSES[implied].files)
    )


def train_tokenizer(texts: Iterable[str], family: str, vocabulary_size: int) -> Tokenizer:
    """A tokenizer trained on `texts` in the family's format, a function of its arguments; see `vocabulary_training`."""
    from itt_jax.data.vocabulary_training import train_files

    return Tokenizer(train_files(texts, family, vocabulary_size), f"trained {family} tokenizer")


def _sample(texts: list[str]) -> list[int]:
    """Indices of the texts of a call that are checked; they depend on the number of texts alone."""
    if len(texts) <= _CHECKED:
        return list(range(len(texts)))
    generator = np.random.Generator(np.random.Philox(key=len(texts)))
    return sorted(generator.choice(len(texts), _CHECKED, replace=False).tolist())


def _unreadable(texts: list[str], error: Exception) -> Exception:
    """The error for the first text that is not valid Unicode; `error` if there is none."""
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            return InputError(f"text {i}: found {type(text).__name__}, expected a string")
        try:
            text.encode()
        except UnicodeEncodeError as found:
            return InputError(f"text {i}: lone surrogate U+{ord(text[found.start]):04X} at character {found.start}")
    return error
