"""Where rows come from: descriptions of sources, and the one table form that reading any of them gives.

A source knows how something is published: files, columns, spelling of its labels. It knows nothing of tasks.
"""

import dataclasses
import os
import pathlib
import typing
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from itt_jax.errors import InputError, unknown

if TYPE_CHECKING:
    from itt_jax.data.answers import Answers
    from itt_jax.data.pools import Pool
    from itt_jax.ragged import Ragged

FileFormat = Literal["csv", "tsv", "jsonl", "parquet", "conll", "lines", "label_text"]
Column = str | int | tuple[str | int, ...]


@dataclasses.dataclass(frozen=True)
class LocalFiles:
    """Tables in files, one row a line or record.

    Attributes:
        paths: published split -> path, absolute or under the data root; "{language}" stands for the language.
        format: "csv", "tsv", "jsonl", "parquet"; "conll" (a row is a sentence; a column of tokens joined by spaces);
            "lines" (a line is one text, column 0); "label_text" (column 0 up to the first space, column 1 the rest).
            Where the label is one for each word (a column of CoNLL, a list), so is the text: words or tokens.
        columns: field -> column name, or zero-based position where there is no header; several are joined by a space.
        label: the column with the label; for CoNLL the key of a comment line "# key = value", or the column of tags.
        labels: published label -> class name, or None to leave its rows out; empty: the label is the class name.
        label_paths: published split -> file with one label a line, where labels stand apart.
        header: csv and tsv: the first line names the columns. quoted: csv quoting is in use (else " is a letter).
        languages: language -> its spelling in paths; where given, the source has no other language.
        slices: further splits, "dev" -> "train[90%:]", of published ones.
        scheme: "iob1" where B- marks only entities that touch another of their type; they are read as IOB2.
    """

    paths: dict[str, str]
    format: FileFormat
    columns: dict[str, Column]
    label: str | int | None = None
    labels: dict[str, str | None] = dataclasses.field(default_factory=dict)
    label_paths: dict[str, str] = dataclasses.field(default_factory=dict)
    header: bool = True
    quoted: bool = True
    encoding: str = "utf-8"
    languages: dict[str, str] = dataclasses.field(default_factory=dict)
    slices: dict[str, str] = dataclasses.field(default_factory=dict)
    scheme: Literal["", "iob1"] = ""

    def __post_init__(self):
        if self.format not in typing.get_args(FileFormat):
            raise unknown("file format", self.format, typing.get_args(FileFormat))

    @property
    def published(self) -> tuple[str, ...]:
        """Names of the published splits."""
        return tuple(self.paths)


@dataclasses.dataclass(frozen=True)
class LocalFolders:
    """A file for each row, a folder for each class: path/{folder}/*.txt, in the order of file names.

    Attributes:
        path: the folder that holds the class folders. folders: folder -> class name.
    """

    path: str
    folders: dict[str, str]
    encoding: str = "utf-8"
    languages: dict[str, str] = dataclasses.field(default_factory=dict)
    slices: dict[str, str] = dataclasses.field(default_factory=dict)
    published: tuple[str, ...] = ("all",)
    labels: dict[str, str | None] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class LocalDocuments:
    """Documents with one sentence a line beside files with the tags of each line; splits are lists of documents.

    Attributes:
        texts, tags: folders with the same file names; "{language}" stands for the language.
        lists: published split -> files that each name one document a line.
        flags: a line with one of these tags is of class `flagged`, every other line of class `plain`.
    """

    texts: str
    tags: str
    lists: dict[str, tuple[str, ...]]
    flags: tuple[str, ...]
    flagged: str
    plain: str
    languages: dict[str, str] = dataclasses.field(default_factory=dict)
    slices: dict[str, str] = dataclasses.field(default_factory=dict)
    labels: dict[str, str | None] = dataclasses.field(default_factory=dict)

    @property
    def published(self) -> tuple[str, ...]:
        """Names of the published splits."""
        return tuple(self.lists)


@dataclasses.dataclass(frozen=True)
class LocalXmi:
    """Documents with tokens, sentences and entities in UIMA's XMI form, one a file; a row is a sentence with IOB2 tags.

    Attributes:
        path: the folder of the files; "{language}" stands for the language.
        entities: name of an element with an entity's span -> its type.
    """

    path: str
    entities: dict[str, str]
    languages: dict[str, str] = dataclasses.field(default_factory=dict)
    slices: dict[str, str] = dataclasses.field(default_factory=dict)
    published: tuple[str, ...] = ("all",)
    labels: dict[str, str | None] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class LocalSquad:
    """Questions about contexts, with answers, in the JSON form of SQuAD 1.1; fields "question" and "context".

    Attributes:
        sentences: give pairs for retrieval instead: fields "question", "sentence" (in which the answer starts; rows
            without one are left out) and "context".
        unique_ids: whether an id names one question of a file, and so its row; if not, its number in the file does.
        paths, languages, slices: as in LocalFiles; labels: none.
    """

    paths: dict[str, str]
    unique_ids: bool = True
    sentences: bool = False
    languages: dict[str, str] = dataclasses.field(default_factory=dict)
    slices: dict[str, str] = dataclasses.field(default_factory=dict)
    labels: dict[str, str | None] = dataclasses.field(default_factory=dict)

    @property
    def published(self) -> tuple[str, ...]:
        """Names of the published splits."""
        return tuple(self.paths)


@dataclasses.dataclass(frozen=True)
class LocalLines:
    """A file for each field, line i of each is row i.

    Attributes:
        paths: published split -> field -> path. languages, slices: as in LocalFiles; labels: none.
    """

    paths: dict[str, dict[str, str]]
    languages: dict[str, str] = dataclasses.field(default_factory=dict)
    slices: dict[str, str] = dataclasses.field(default_factory=dict)
    labels: dict[str, str | None] = dataclasses.field(default_factory=dict)

    @property
    def published(self) -> tuple[str, ...]:
        """Names of the published splits."""
        return tuple(self.paths)


@dataclasses.dataclass(frozen=True)
class LocalSentences:
    """Questions, and the sentences of all languages as candidates, in XQuAD-R's form; field "question".

    Attributes:
        paths: published split -> path with "{language}". languages: language -> its spelling; all that are at hand
            make the pool.
    """

    paths: dict[str, str]
    languages: dict[str, str]
    slices: dict[str, str] = dataclasses.field(default_factory=dict)
    labels: dict[str, str | None] = dataclasses.field(default_factory=dict)

    @property
    def published(self) -> tuple[str, ...]:
        """Names of the published splits."""
        return tuple(self.paths)


@dataclasses.dataclass(frozen=True)
class LocalBitext:
    """Two sets of sentences, some of which are translations, in BUCC's form; field "text", the second set is the pool.

    Attributes:
        first, second: published split -> path of lines "id <tab> sentence". gold: of lines "first id <tab> second id".
        languages, slices: as in LocalFiles; labels: none.
    """

    first: dict[str, str]
    second: dict[str, str]
    gold: dict[str, str]
    languages: dict[str, str] = dataclasses.field(default_factory=dict)
    slices: dict[str, str] = dataclasses.field(default_factory=dict)
    labels: dict[str, str | None] = dataclasses.field(default_factory=dict)

    @property
    def published(self) -> tuple[str, ...]:
        """Names of the published splits."""
        return tuple(self.first)


@dataclasses.dataclass(frozen=True)
class LocalRecords:
    """Records in one JSON object, id -> record; a column may hold a list of paragraphs.

    Attributes:
        path: the object. test_ids: an object whose keys are the ids of split "test"; the others are split "train".
        columns: field -> member of a record. label, labels, languages, slices: as in LocalFiles.
    """

    path: str
    test_ids: str
    columns: dict[str, str]
    label: str
    labels: dict[str, str | None] = dataclasses.field(default_factory=dict)
    languages: dict[str, str] = dataclasses.field(default_factory=dict)
    slices: dict[str, str] = dataclasses.field(default_factory=dict)
    published: tuple[str, ...] = ("train", "test")


@dataclasses.dataclass(frozen=True)
class LocalMentions:
    """Mentions in context and entities, in Mewsli-X's form; field "mention".

    Attributes:
        paths: published split -> path. entities: the candidates; "" where the files hold pairs of a mention and its
            entity, fields "mention" and "entity". languages, slices: as in LocalFiles; labels: none.
    """

    paths: dict[str, str]
    entities: str = ""
    languages: dict[str, str] = dataclasses.field(default_factory=dict)
    slices: dict[str, str] = dataclasses.field(default_factory=dict)
    labels: dict[str, str | None] = dataclasses.field(default_factory=dict)

    @property
    def published(self) -> tuple[str, ...]:
        """Names of the published splits."""
        return tuple(self.paths)


@dataclasses.dataclass(frozen=True)
class Hub:
    """A data set read with `datasets` from the Hugging Face hub or a local folder; no code of the hub is run.

    Attributes:
        id: "owner/name", or a folder with parquet, csv or json files. config: may hold "{language}".
        splits: our name of the published split -> the hub's. columns, label, labels, slices: as in LocalFiles; a class
            label is spelled by its name, and answers with their places stand in one column, as in SQuAD.
        index: a column with the published index of a row; without one it is the row's number.
        prefix: where all languages stand together: what the index of a row in the language begins with ("{language}-").
        language: where all languages stand together: the column that names a row's language.
    """

    id: str
    columns: dict[str, Column]
    config: str | None = None
    label: str | None = None
    labels: dict[str, str | None] = dataclasses.field(default_factory=dict)
    splits: dict[str, str] = dataclasses.field(
        default_factory=lambda: {"train": "train", "dev": "validation", "test": "test"}
    )
    index: str | None = None
    revision: str | None = None
    prefix: str = ""
    language: str = ""
    languages: dict[str, str] = dataclasses.field(default_factory=dict)
    slices: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def published(self) -> tuple[str, ...]:
        """Names of the published splits."""
        return tuple(self.splits)


@dataclasses.dataclass(frozen=True)
class Tfds:
    """A TensorFlow Datasets builder, read without TensorFlow from its array_record files.

    Attributes:
        name: "builder/config"; may hold "{language}". module: the module that registers the builder.
        directory: where it is or will be prepared; None is TFDS's own choice. The rest as in Hub; without an `index`
            column, a row's number is its place in TFDS's own fixed order, which is not the published one.
    """

    name: str
    module: str
    columns: dict[str, Column]
    directory: str | None = None
    index: str | None = None
    label: str | None = None
    labels: dict[str, str | None] = dataclasses.field(default_factory=dict)
    splits: dict[str, str] = dataclasses.field(
        default_factory=lambda: {"train": "train", "dev": "validation", "test": "test"}
    )
    languages: dict[str, str] = dataclasses.field(default_factory=dict)
    slices: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def published(self) -> tuple[str, ...]:
        """Names of the published splits."""
        return tuple(self.splits)


@dataclasses.dataclass(frozen=True)
class Embedded:
    """Material that is part of this package."""

    name: str


Local = (
    LocalFiles
    | LocalFolders
    | LocalDocuments
    | LocalXmi
    | LocalSquad
    | LocalLines
    | LocalSentences
    | LocalBitext
    | LocalMentions
    | LocalRecords
)
Source = Local | Hub | Tfds | Embedded


@dataclasses.dataclass(frozen=True)
class Table:
    """One published split in one language, as read.

    Attributes:
        fields: field -> n texts. labels: n published labels, or answers, or None where the split has none.
        indices: n published indices, unique in the split.
        place: row number -> where the row stands, for messages ("dev-de.tsv, line 12").
        pool: candidates of retrieval; `labels` are then the right ones of each row.
    """

    fields: dict[str, list[str]]
    labels: "list[str] | Answers | Ragged | None"
    indices: list[str]
    place: Callable[[int], str]
    pool: "Pool | None" = None


def data_root(given: str | pathlib.Path | None) -> pathlib.Path | None:
    """The folder of local files: the one given, else that in the variable ITT_JAX_DATA, else None.

    Raises:
        InputError: it is no folder.
    """
    found = given or os.environ.get("ITT_JAX_DATA")
    if found and not pathlib.Path(found).is_dir():
        raise InputError(f"{'--data-root' if given else 'ITT_JAX_DATA'}: {found} is not a folder")
    return pathlib.Path(found) if found else None
