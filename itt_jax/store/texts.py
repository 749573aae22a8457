"""Texts of a results folder: some of the evaluated rows, clean and in every form, to be read in the report.

OUT/texts/<id>.parquet   a row for each form of a text, for one split of one task in one language; a form that does not
                         change a text has none
"""

import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from itt_jax import files
from itt_jax.errors import InputError
from itt_jax.store.folder import Store
from itt_jax.store.parquet import read_table, write_table
from itt_jax.store.results import CLEAN_TEXT

if TYPE_CHECKING:
    import pyarrow as pa

Place = tuple[str, str, str]
"""Task, split and language."""
Form = tuple[str, float, int]
"""Operator, severity and replicate."""
_COLUMNS = ("item_id", "perturbation", "severity", "replicate", "texts")
_ABOUT = {"id": str, "kind": str, "labels": list, "fields": list}


@dataclasses.dataclass(frozen=True)
class Texts:
    """The texts of n rows.

    Attributes:
        id: a hash of what they were made from. kind, labels: of the task. fields: names of each row's texts.
        items: their n ids. clean: the texts of each.
        forms: form -> item id -> its texts, for the items that the form changes.
    """

    id: str
    kind: str
    labels: Sequence[str]
    fields: Sequence[str]
    items: Sequence[str]
    clean: Sequence[Sequence[str]]
    forms: Mapping[Form, Mapping[str, Sequence[str]]]


def write_texts(store: Store, place: Place, texts: Texts) -> None:
    """Write the texts of some rows, in place of those of a former plan."""
    import pyarrow as pa

    found = [(item, CLEAN_TEXT, 0.0, 0, own) for item, own in zip(texts.items, texts.clean, strict=True)]
    found += [(item, *form, own) for form, by_item in texts.forms.items() for item, own in by_item.items()]
    items, names, severities, replicates, written = zip(*found, strict=True)
    columns = (items, names, severities, replicates, pa.array(written, pa.list_(pa.string())))
    table = pa.table(dict(zip(_COLUMNS, columns, strict=True)))
    about = {name: getattr(texts, name) for name in ("id", "kind")}
    about |= {"labels": list(texts.labels), "fields": list(texts.fields), "place": list(place)}
    write_table(_path(store, place), table.replace_schema_metadata({"texts": json.dumps(about)}))


def texts_id(store: Store, place: Place) -> str | None:
    """The id of the texts of a place; None if there are none, or if their file has no id."""
    path = _path(store, place)
    if not files.exists(path):
        return None
    try:
        return _about(read_table(path).schema, path)["id"]
    except InputError:
        return None


def read_texts(store: Store, place: Place) -> Texts | None:
    """The texts of a place; None if there are none.

    Raises:
        InputError: the file is damaged.
    """
    path = _path(store, place)
    if not files.exists(path):
        return None
    table = read_table(path)
    about = _about(table.schema, path)
    clean: dict[str, list[str]] = {}
    forms: dict[Form, dict[str, list[str]]] = {}
    for item, name, severity, replicate, own in zip(*(column.to_pylist() for column in table.columns), strict=True):
        into = clean if name == CLEAN_TEXT else forms.setdefault((name, severity, replicate), {})
        into[item] = own
    return Texts(**about, items=list(clean), clean=list(clean.values()), forms=forms)


def _about(schema: "pa.Schema", path: pathlib.Path) -> dict[str, Any]:
    """The fields of `Texts` in a file's metadata.

    Raises:
        InputError: it is not a file of texts.
    """
    try:
        found = json.loads((schema.metadata or {})[b"texts"])
        about = {name: found[name] for name in _ABOUT}
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not a file of texts: {error!r:.200}; remove it to have it made again") from error
    if schema.names != list(_COLUMNS) or any(not isinstance(about[name], kind) for name, kind in _ABOUT.items()):
        raise InputError(f"{path}: not a file of texts; remove it to have it made again")
    return about


def _path(store: Store, place: Place) -> pathlib.Path:
    name = hashlib.sha256("\0".join(place).encode()).hexdigest()[:16]
    return store.out / "texts" / f"{name}.parquet"
