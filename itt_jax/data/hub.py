"""Rows from the Hugging Face hub, or a folder that `datasets` can read."""

import contextlib
import functools
import socket
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator

from itt_jax.data.answers import Answers, answers_of
from itt_jax.data.local import label_of, text_of
from itt_jax.data.sources import Hub, Table
from itt_jax.errors import AbsentError, InputError


def read(source: Hub, split: str, language: str) -> Table:
    """A published split of a Hub source.

    Raises:
        InputError: `datasets` is missing, or it cannot give the split (no network, no such id, config or column).
    """
    try:
        import datasets
    except ImportError as error:
        raise InputError(f"hub data set {source.id!r} needs the package datasets; or give --data-root DIR") from error
    config = source.config and source.config.format(language=source.languages.get(language, language))
    where = f"hub data set {source.id}" + (f" ({config})" if config else "") + f", split {source.splits[split]}"
    try:
        with without_retries():
            table = datasets.load_dataset(source.id, config, split=source.splits[split], revision=source.revision)
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise AbsentError(f"{where}: {reason}") from error

    def place(i: int) -> str:
        return f"{where}, row {numbers[i]}"

    records, spelling = list(table), source.languages.get(language, language)
    numbers = list(range(len(records)))
    if source.prefix:
        begins = source.prefix.format(language=spelling)
        numbers = [i for i, record in enumerate(records) if label_of(record, source.index, where).startswith(begins)]
    if source.language:
        numbers = [i for i in numbers if label_of(records[i], source.language, where) == spelling]
    records = [records[i] for i in numbers]
    published = indices(records, source.index, place) if source.index else [str(i) for i in numbers]
    fields = {
        field: [text_of(record, column, place(i)) for i, record in enumerate(records)]
        for field, column in source.columns.items()
    }
    labels = None
    if source.label is not None:
        if source.label not in table.column_names:
            raise InputError(f"{where}: no column {source.label!r}; the columns are {', '.join(table.column_names)}")
        feature = table.features[source.label]
        names = getattr(getattr(feature, "feature", feature), "names", None)
        if records and isinstance(records[0][source.label], dict):
            labels = given_answers(records, source, place)
            return Table(fields, labels, published, place)
        labels = [spelled(record[source.label], names) for record in records]
    return Table(fields, labels, published, place)


@contextlib.contextmanager
def without_retries() -> Iterator[None]:
    """Where the hub's name has no address, `datasets` in its offline mode: what is in its cache is read, and the rest
    is absent at once. Without it, each set that is not at hand is asked for six times, for half a minute."""
    import datasets
    import huggingface_hub.constants

    if _has_address(huggingface_hub.constants.ENDPOINT):
        yield
        return
    modules = (huggingface_hub.constants, datasets.config)
    before = [module.HF_HUB_OFFLINE for module in modules]
    try:
        for module in modules:
            module.HF_HUB_OFFLINE = True
        yield
    finally:
        for module, value in zip(modules, before, strict=True):
            module.HF_HUB_OFFLINE = value


@functools.cache
def _has_address(endpoint: str) -> bool:
    """Whether the name of the endpoint resolves; behind a proxy, which resolves names itself, it is taken to."""
    parts = urllib.parse.urlsplit(endpoint)
    if parts.scheme in urllib.request.getproxies() or "all" in urllib.request.getproxies():
        return True
    try:
        socket.getaddrinfo(parts.hostname, parts.port or 443)
    except OSError:
        return False
    return True


def given_answers(records: list[dict], source: Hub, place: Callable[[int], str]) -> Answers | None:
    """Answers as SQuAD's on the hub, {"text": [...], "answer_start": [...]}; None where no row has one."""
    items = []
    for i, record in enumerate(records):
        given = record[source.label]
        entries = zip(given.get("text", []), given.get("answer_start", []), strict=True)
        listed = [{"text": text, "answer_start": start} for text, start in entries]
        items.append(tuple(answers_of(listed, record[source.columns["context"]], place(i))))
        if bool(items[-1]) != bool(items[0]):
            raise InputError(f"{place(i)}: some rows have an answer and others none; expected the form of SQuAD 1.1")
    return Answers(tuple(items)) if items[0] else None


def spelled(value: object, names: list[str] | None) -> str:
    """A label as text: the class name of an index (-1, no label, stays "-1"), or the value itself; of a list of tags,
    the tags with one space between them."""
    if isinstance(value, list):
        return " ".join(spelled(tag, names) for tag in value)
    return names[int(value)] if names and int(value) >= 0 else str(value)


def indices(records: list[dict], column: str | None, place: Callable[[int], str]) -> list[str]:
    """Published indices of the rows: a column's values, or the row numbers."""
    if column is None:
        return [str(i) for i in range(len(records))]
    return [label_of(record, column, place(i)) for i, record in enumerate(records)]
