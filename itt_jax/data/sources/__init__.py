"""Where rows come from: one class for each source, and the table that every one returns.

A task names its sources; `source.read(split, language, data_root)` gives a `Table`. A new source is a subclass of
`Source` with a `read` method, in a file of its own, and one line of `SOURCES`.
"""

from itt_jax.data.sources.bitext import LocalBitext
from itt_jax.data.sources.documents import LocalDocuments
from itt_jax.data.sources.embedded import Embedded
from itt_jax.data.sources.files import LocalFiles
from itt_jax.data.sources.folders import LocalFolders
from itt_jax.data.sources.hub import Hub
from itt_jax.data.sources.lines import LocalLines
from itt_jax.data.sources.lists import LocalLists
from itt_jax.data.sources.mentions import LocalMentions
from itt_jax.data.sources.paths import data_root
from itt_jax.data.sources.records import LocalRecords
from itt_jax.data.sources.sentences import LocalSentences
from itt_jax.data.sources.source import Source
from itt_jax.data.sources.squad import LocalSquad
from itt_jax.data.sources.tfds import Tfds
from itt_jax.data.sources.xmi import LocalXmi
from itt_jax.data.table import Table

SOURCES: tuple[type[Source], ...] = (
    Embedded,
    LocalFiles,
    LocalFolders,
    LocalDocuments,
    LocalXmi,
    LocalSquad,
    LocalLines,
    LocalSentences,
    LocalBitext,
    LocalRecords,
    LocalLists,
    LocalMentions,
    Hub,
    Tfds,
)

__all__ = [
    "SOURCES",
    "Embedded",
    "Hub",
    "LocalBitext",
    "LocalDocuments",
    "LocalFiles",
    "LocalFolders",
    "LocalLines",
    "LocalLists",
    "LocalMentions",
    "LocalRecords",
    "LocalSentences",
    "LocalSquad",
    "LocalXmi",
    "Source",
    "Table",
    "Tfds",
    "data_root",
]
