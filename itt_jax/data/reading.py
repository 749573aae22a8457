"""Reading a source, whichever it is, into a table."""

import gc
import pathlib

from itt_jax.data import answers, hub, local, mewslix, pools, records, tfds, xmi
from itt_jax.data.sources import (
    Hub,
    LocalBitext,
    LocalDocuments,
    LocalFiles,
    LocalFolders,
    LocalLines,
    LocalMentions,
    LocalRecords,
    LocalSentences,
    LocalSquad,
    LocalXmi,
    Source,
    Table,
    Tfds,
)


def read(source: Source, split: str, language: str, data_root: str | pathlib.Path | None = None) -> Table:
    """The published `split` of a source in one language.

    Raises:
        InputError: a file is missing or malformed, or a package that the source needs is not installed.
    """
    collecting = gc.isenabled()
    gc.disable()  # reading makes millions of objects in no cycle, and the collector would walk them again and again
    try:
        return _read(source, split, language, data_root)
    finally:
        if collecting:
            gc.enable()


def _read(source: Source, split: str, language: str, data_root: str | pathlib.Path | None) -> Table:
    if isinstance(source, LocalFiles):
        return local.read_files(source, split, language, data_root)
    if isinstance(source, LocalFolders):
        return local.read_folders(source, data_root)
    if isinstance(source, LocalDocuments):
        return local.read_documents(source, split, language, data_root)
    if isinstance(source, LocalXmi):
        return xmi.read_xmi(source, language, data_root)
    if isinstance(source, LocalLines):
        return local.read_parallel(source, split, language, data_root)
    if isinstance(source, LocalMentions):
        return mewslix.read_mentions(source, split, language, data_root)
    if isinstance(source, LocalBitext):
        return pools.read_bitext(source, split, language, data_root)
    if isinstance(source, LocalSentences):
        return pools.read_table(source, split, language, data_root)
    if isinstance(source, LocalSquad):
        return answers.read_table(source, split, language, data_root)
    if isinstance(source, LocalRecords):
        return records.read_records(source, split, data_root)
    if isinstance(source, Hub):
        return hub.read(source, split, language)
    if isinstance(source, Tfds):
        return tfds.read(source, split, language)
    raise TypeError(f"{type(source).__name__} is no table source")
