"""Readers of local files in their published formats; every message names file and line.

A line ends at a line feed (a carriage return before it is dropped) and nowhere else: U+2028 or U+0085 in a text stay.
"""

import csv
import dataclasses
import json
import pathlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

from itt_jax.data.sources import Column, LocalDocuments, LocalFiles, LocalFolders, LocalLines, Table
from itt_jax.errors import AbsentError, InputError

NO_BREAK_SPACE = "\u00a0"
Record = tuple[int, Any]  # line (or record) number from 1, and a list or a mapping of values


def resolve(path: str, data_root: str | pathlib.Path | None) -> pathlib.Path:
    """`path` under the data root, which must exist."""
    found = pathlib.Path(data_root or ".") / path
    if not found.exists():
        hint = "" if data_root or pathlib.Path(path).is_absolute() else " (give --data-root DIR, or set ITT_JAX_DATA)"
        raise AbsentError(f"{found}: no such file or folder{hint}")
    return found


def spell(pattern: str, language: str) -> str:
    """A path with "{language}" filled in."""
    try:
        return pattern.format(language=language)
    except (KeyError, IndexError, ValueError) as error:
        raise InputError(f"path {pattern!r}: only {{language}} may stand in braces") from error


def read_text(path: pathlib.Path, encoding: str = "utf-8") -> str:
    """The whole file; a byte order mark is dropped; bytes that are not `encoding` are an error with their line."""
    if not path.is_file():
        raise InputError(f"{path}: expected a file")
    data = path.read_bytes()
    try:
        return data.decode("utf-8-sig" if encoding.lower().replace("-", "") == "utf8" else encoding)
    except LookupError as error:
        raise InputError(f"{path}: unknown encoding {encoding!r}") from error
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(f"{path}, line {line}: not valid {encoding} ({error.reason})") from error


def read_lines(path: pathlib.Path, encoding: str = "utf-8") -> list[str]:
    """The lines of a file, without their ends."""
    lines = read_text(path, encoding).split("\n")
    if lines[-1] == "":
        lines.pop()
    return [line[:-1] if line.endswith("\r") else line for line in lines]


def _quoted(path: pathlib.Path, encoding: str, delimiter: str) -> Iterator[Record]:
    # keepends on "\n" alone: csv then sees quoted line feeds, and no other character as a line end
    lines = (line + "\n" for line in read_lines(path, encoding))
    reader, line = csv.reader(lines, delimiter=delimiter, strict=True), 1
    csv.field_size_limit(1 << 30)
    try:
        for values in reader:
            if values:
                yield line, values
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"{path}, line {line}: {error}") from error


def _delimited(path: pathlib.Path, source: LocalFiles) -> Iterator[Record]:
    delimiter = "," if source.format == "csv" else "\t"
    if source.quoted:
        records = _quoted(path, source.encoding, delimiter)
    else:
        records = ((i, line.split(delimiter)) for i, line in enumerate(read_lines(path, source.encoding), 1))
    names, width = None, None
    for line, values in records:
        if width is None:
            width = len(values)
            if source.header:
                names = values
                continue
        if len(values) != width:
            raise InputError(f"{path}, line {line}: {len(values)} columns, expected {width}")
        yield line, dict(zip(names, values, strict=True)) if names else values


def _json_lines(path: pathlib.Path, source: LocalFiles) -> Iterator[Record]:
    for line, text in enumerate(read_lines(path, source.encoding), 1):
        try:
            record = json.loads(text)
        except json.JSONDecodeError as error:
            raise InputError(f"{path}, line {line}: not JSON ({error.msg})") from error
        if not isinstance(record, dict):
            raise InputError(f"{path}, line {line}: expected a JSON object, found {type(record).__name__}")
        yield line, record


def _parquet(path: pathlib.Path, source: LocalFiles) -> Iterator[Record]:
    import pyarrow
    import pyarrow.parquet

    try:
        records = pyarrow.parquet.read_table(path).to_pylist()
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise InputError(f"{path}: not a parquet file ({str(error).splitlines()[0]})") from error
    return iter(enumerate(records, 1))


@dataclasses.dataclass(frozen=True)
class Sentence:
    """A sentence of a CoNLL file: its columns, the line it begins at, and its "# key = value" comments."""

    line: int
    columns: tuple[list[str], ...]
    comments: dict[str, str]


def read_conll(path: pathlib.Path, encoding: str = "utf-8") -> list[Sentence]:
    """The sentences of a CoNLL or CoNLL-U file: one token a line, columns by tabs or else blanks, blank lines between.

    `columns[i]` holds the i-th column of each token, so tokens and tags are such lists. -DOCSTART- lines, CoNLL-U's
    multi-word ranges (1-2) and empty nodes (1.1) are left out.

    Raises:
        InputError: a token line has another number of columns than the first.
    """
    lines = read_lines(path, encoding)
    tabs = any("\t" in line for line in lines)
    sentences: list[Sentence] = []
    numbers: list[int] = []
    comments: dict[str, str] = {}
    width = None
    for number, line in enumerate([*lines, ""], 1):
        first = line[:1]
        if first in "#-" or first.isspace():  # only such a line may be no token
            if not line.strip() or line.startswith("-DOCSTART-"):
                if numbers:
                    width, kept, tokens = _tokens(path, numbers, lines, tabs, width)
                    numbers = []
                    if tokens:
                        sentences.append(Sentence(kept[0], tuple(map(list, zip(*tokens, strict=True))), comments))
                        comments = {}
                continue
            if first == "#" and "\t" not in line:
                comment = re.match(r"#\s*(\S+)\s+=\s?(.*)$", line)
                if comment or tabs:
                    comments |= {comment[1]: comment[2]} if comment else {}
                    continue
        numbers.append(number)
    return sentences


def _tokens(
    path: pathlib.Path, numbers: list[int], lines: list[str], tabs: bool, width: int | None
) -> tuple[int, list[int], list[list[str]]]:
    """The width, and the lines (from 1) and columns of the tokens that stand in those lines."""
    tokens = [lines[number - 1].split("\t" if tabs else None) for number in numbers]
    width = width or len(tokens[0])
    for number, values in zip(numbers, tokens, strict=True):
        if len(values) != width:
            raise InputError(f"{path}, line {number}: {len(values)} columns, expected {width}")
        if "" in values:
            raise InputError(f"{path}, line {number}: column {values.index('') + 1} is empty")
    if width == 10:
        words = [not re.fullmatch(r"\d+[-.]\d+", values[0]) for values in tokens]
        numbers = [number for number, word in zip(numbers, words, strict=True) if word]
        tokens = [values for values, word in zip(tokens, words, strict=True) if word]
    return width, numbers, tokens


def _conll(path: pathlib.Path, source: LocalFiles) -> Iterator[Record]:
    for sentence in read_conll(path, source.encoding):
        yield sentence.line, sentence.comments | {i: as_text(column) for i, column in enumerate(sentence.columns)}


def _lines(path: pathlib.Path, source: LocalFiles) -> Iterator[Record]:
    for number, line in enumerate(read_lines(path, source.encoding), 1):
        yield number, [line] if source.format == "lines" else line.split(" ", 1)


_READERS = {
    "csv": _delimited,
    "tsv": _delimited,
    "jsonl": _json_lines,
    "parquet": _parquet,
    "conll": _conll,
    "lines": _lines,
    "label_text": _lines,
}


def _value(record: Any, column: str | int, place: str) -> Any:
    try:
        return record[column]
    except (KeyError, IndexError, TypeError) as error:
        known = ", ".join(map(str, record)) if isinstance(record, dict) else f"0 to {len(record) - 1}"
        raise InputError(f"{place}: no column {column!r}; the columns are {known}") from error


def as_text(words: Sequence[str]) -> str:
    """Words with one space between them; a space inside a word becomes a no-break space, so words can be told apart."""
    joined = " ".join(words)
    if joined.count(" ") < len(words):
        return joined
    return " ".join(word.replace(" ", NO_BREAK_SPACE) for word in words)


def text_of(record: Any, column: Column, place: str) -> str:
    """The text in a column of a record, or in several, joined by a space; of a list of words see `as_text`."""
    parts = [_value(record, name, place) for name in (column if isinstance(column, tuple) else (column,))]
    parts = [
        as_text(part) if isinstance(part, list) and all(isinstance(w, str) for w in part) else part for part in parts
    ]
    for part in parts:
        if not isinstance(part, str):
            raise InputError(f"{place}: column {column!r}: expected text, found {part!r}")
    return " ".join(parts)


def label_of(record: Any, column: str | int, place: str) -> str:
    """The label in a column of a record, as it would be printed (2.0 of a float column is "2.0"); of a list of tags,
    the tags with one space between them."""
    value = _value(record, column, place)
    if isinstance(value, list) and all(isinstance(tag, str | int) for tag in value):
        return " ".join(map(str, value))
    if value is None or isinstance(value, dict | list):
        raise InputError(f"{place}: column {column!r}: expected a label, found {value!r}")
    return str(value)


def iob2(tags: Sequence[str]) -> list[str]:
    """IOB1 tags (B- only where an entity follows another of its type at once) as IOB2 (B- begins every entity).

    >>> iob2(["I-X", "I-X", "O", "I-X", "B-X"])
    ['B-X', 'I-X', 'O', 'B-X', 'B-X']
    """
    found = []
    for before, tag in zip(["O", *tags], tags, strict=False):
        begins = tag.startswith("I-") and before[1:] != tag[1:]
        found.append(f"B{tag[1:]}" if begins else tag)
    return found


def _separate_labels(path: pathlib.Path, rows: int, beside: pathlib.Path) -> list[str]:
    labels = [line.strip() for line in read_lines(path)]
    if len(labels) != rows:
        raise InputError(f"{path}: {len(labels)} labels, expected {rows}, one for each row of {beside}")
    return labels


def read_files(source: LocalFiles, split: str, language: str, data_root: str | pathlib.Path | None) -> Table:
    """A published split of a LocalFiles source."""
    spelling = source.languages.get(language, language)
    path = resolve(spell(source.paths[split], spelling), data_root)
    records = list(_READERS[source.format](path, source))
    numbers = [number for number, _ in records]

    def place(i: int) -> str:
        return f"{path}, {'row' if source.format == 'parquet' else 'line'} {numbers[i]}"

    fields = {
        field: [text_of(record, column, place(i)) for i, (_, record) in enumerate(records)]
        for field, column in source.columns.items()
    }
    labels = None
    if split in source.label_paths:
        label_path = resolve(spell(source.label_paths[split], spelling), data_root)
        labels = _separate_labels(label_path, len(records), path)
    elif source.label is not None:
        labels = [label_of(record, source.label, place(i)) for i, (_, record) in enumerate(records)]
        if source.scheme == "iob1":
            labels = [" ".join(iob2(label.split(" "))) for label in labels]
    return Table(fields, labels, [str(i) for i in range(len(records))], place)


def read_folders(source: LocalFolders, data_root: str | pathlib.Path | None) -> Table:
    """All rows of a LocalFolders source; a row's index is folder-filename."""
    paths: list[pathlib.Path] = []
    labels: list[str] = []
    for folder, label in source.folders.items():
        files = sorted(resolve(f"{source.path}/{folder}", data_root).glob("*.txt"))
        paths += files
        labels += [label] * len(files)
    texts = [read_text(path, source.encoding) for path in paths]
    indices = [f"{path.parent.name}-{path.stem}" for path in paths]
    return Table({"text": texts}, labels, indices, lambda i: str(paths[i]))


def read_documents(source: LocalDocuments, split: str, language: str, data_root: str | pathlib.Path | None) -> Table:
    """A published split of a LocalDocuments source; a row's index is document-line (from 0)."""
    spelling = source.languages.get(language, language)
    documents = [name for path in source.lists[split] for name in read_lines(resolve(path, data_root)) if name]
    texts: list[str] = []
    labels: list[str] = []
    places: list[tuple[pathlib.Path, int]] = []
    for document in documents:
        path = resolve(f"{spell(source.texts, spelling)}/{document}", data_root)
        tag_path = resolve(f"{spell(source.tags, spelling)}/{document}", data_root)
        lines, tags = read_lines(path), read_lines(tag_path)
        if len(lines) != len(tags):
            raise InputError(f"{tag_path}: {len(tags)} lines, expected {len(lines)}, one for each of {path}")
        texts += lines
        labels += [source.flagged if set(source.flags) & set(line.split()) else source.plain for line in tags]
        places += [(path, i) for i in range(len(lines))]
    indices = [f"{path.stem}-{i}" for path, i in places]
    return Table({"text": texts}, labels, indices, lambda i: f"{places[i][0]}, line {places[i][1] + 1}")


def read_parallel(source: LocalLines, split: str, language: str, data_root: str | pathlib.Path | None) -> Table:
    """A published split of a LocalLines source; a row's index is its line number, from 0."""
    spelling = source.languages.get(language, language)
    paths = {field: resolve(spell(path, spelling), data_root) for field, path in source.paths[split].items()}
    fields = {field: read_lines(path) for field, path in paths.items()}
    first, *others = fields
    for other in others:
        if len(fields[other]) != len(fields[first]):
            raise InputError(
                f"{paths[other]}: {len(fields[other])} lines, expected {len(fields[first])}, as many as {paths[first]}"
            )
    indices = [str(i) for i in range(len(fields[first]))]
    return Table(fields, None, indices, lambda i: f"{paths[first]} and beside it, line {i + 1}")


def check_texts(fields: dict[str, Sequence[str]], place) -> None:
    """Refuse lone surrogates and NUL, naming the row's place."""
    forbidden = re.compile("[\ud800-\udfff\0]")
    for field, texts in fields.items():
        if forbidden.search("".join(texts)):
            i, found = next((i, m[0]) for i, text in enumerate(texts) if (m := forbidden.search(text)))
            what = "a NUL character" if found == "\0" else f"a lone surrogate U+{ord(found):04X}"
            raise InputError(f"{place(i)}: field {field!r} holds {what}; remove it")
