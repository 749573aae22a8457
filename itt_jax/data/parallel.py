"""Parallel text for translation language modelling and for parallel embeddings, and plain text in the same form."""

import pathlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from itt_jax.data.local import check_texts, read_lines, resolve
from itt_jax.data.overlap import stable_order
from itt_jax.data.rows import ParallelTexts
from itt_jax.errors import InputError

if TYPE_CHECKING:
    from itt_jax.tasks.task import Task

# Tatoeba names languages by ISO 639-3 (LASER's test set v1); everything else here by ISO 639-1 where that exists
_ISO_639_1 = dict(
    pair.split("-")
    for pair in (
        "afr-af amh-am ara-ar aze-az bel-be ben-bn bos-bs bre-br bul-bg cat-ca ces-cs cha-ch cmn-zh cor-kw cym-cy "
        "dan-da deu-de ell-el epo-eo est-et eus-eu fao-fo fin-fi fra-fr fry-fy gla-gd gle-ga glg-gl heb-he hin-hi "
        "hrv-hr hun-hu hye-hy ido-io ile-ie ina-ia ind-id isl-is ita-it jav-jv jpn-ja kat-ka kaz-kk khm-km kor-ko "
        "kur-ku lat-la lit-lt lvs-lv mal-ml mar-mr mkd-mk mon-mn nld-nl nno-nn nob-nb oci-oc pes-fa pol-pl por-pt "
        "ron-ro rus-ru slk-sk slv-sl spa-es sqi-sq srp-sr swe-sv swh-sw tam-ta tat-tt tel-te tgl-tl tha-th tuk-tk "
        "tur-tr uig-ug ukr-uk urd-ur uzb-uz vie-vi xho-xh yid-yi zsm-ms "
    ).split()
)
EMBEDDED_TUPLES = 20_000
_TATOEBA = "crosslingual/tatoeba"


def load_parallel(
    source: str,
    languages: Sequence[str] = (),
    data_root: str | pathlib.Path | None = None,
    tuples: int | None = None,
    own_tasks: Iterable["Task"] = (),
) -> ParallelTexts:
    """Tuples of translations in `languages` (empty: all that the source has), without repeated tuples.

    Args:
        source: "embedded"; "tatoeba" (pairs with English; pairs with one English side make one tuple); or a task, as
            "stsb_multi_mt", "xnli/dev[0%:70%]" or "task:sst2" (its train split unless one is given): each field of each
            row is a tuple, in all languages if the task is parallel, in one language if it is not.
        tuples: at most this many, chosen by a stable hash.

    Raises:
        InputError: an unknown source, missing files, or a source that has none of the languages.
    """
    if source == "embedded":
        from itt_jax.data import embedded

        entries = embedded.parallel(EMBEDDED_TUPLES if tuples is None else tuples)
        texts = {code: [entry[code] for entry in entries] for code in embedded.LANGUAGES}
        found = ParallelTexts("embedded", tuple(embedded.LANGUAGES), texts)
    elif source == "tatoeba":
        found = _tatoeba(languages, data_root)
    else:
        found = _task_texts(source, languages, data_root, own_tasks)
    return _chosen(found, languages, tuples)


def tatoeba_languages(data_root: str | pathlib.Path | None) -> dict[str, str]:
    """Language -> its spelling in file names, of every language paired with English."""
    folder = resolve(_TATOEBA, data_root)
    spelled = sorted(path.suffix[1:] for path in folder.glob("tatoeba.*-eng.*") if path.suffix != ".eng")
    return {_ISO_639_1.get(code, code): code for code in spelled}


def _tatoeba(languages: Sequence[str], data_root: str | pathlib.Path | None) -> ParallelTexts:
    spelled = tatoeba_languages(data_root)
    wanted = [language for language in (languages or spelled) if language in spelled]
    columns: dict[str, dict[tuple[str, int], str]] = {}
    keys: dict[tuple[str, int], None] = {}
    for language in wanted:
        stem = f"{_TATOEBA}/tatoeba.{spelled[language]}-eng"
        path, english_path = (resolve(f"{stem}.{end}", data_root) for end in (spelled[language], "eng"))
        texts, english = read_lines(path), read_lines(english_path)
        if len(texts) != len(english):
            raise InputError(f"{path}: {len(texts)} lines, expected {len(english)}, one for each of {english_path}")
        check_texts({language: texts, "en": english}, lambda i, path=path: f"{path} or its English, line {i + 1}")
        times: dict[str, int] = {}
        columns[language] = {}
        for text, pivot in zip(texts, english, strict=True):
            # an English sentence with several translations makes several tuples
            key = (pivot, times.setdefault(pivot, 0))
            times[pivot] += 1
            columns[language][key] = text
            keys[key] = None
    columns["en"] = {key: key[0] for key in keys}
    return ParallelTexts(
        "tatoeba", ("en", *wanted), {code: [column.get(key) for key in keys] for code, column in columns.items()}
    )


def _task_texts(
    source: str, languages: Sequence[str], data_root: str | pathlib.Path | None, own_tasks: Iterable["Task"]
) -> ParallelTexts:
    from itt_jax import tasks  # tasks import data; only the texts of a task's rows are wanted here

    name, _, split = source.removeprefix("task:").partition("/")
    task, split = tasks.get(name, own_tasks), split or "train"
    wanted = [code for code in (languages or task.languages) if tasks.has_rows(task, split, code, data_root)]
    columns: dict[str, dict[str, str]] = {}
    keys: dict[str, None] = {}
    for language in wanted or [task.source_language]:  # which raises, and says why
        rows = tasks.load_rows(task, split, language, data_root)
        columns[language] = {
            f"{item}/{field}": text
            for field, texts in rows.fields.items()
            for item, text in zip(rows.item_ids, texts, strict=True)
        }
        keys |= dict.fromkeys(columns[language])
    texts = {code: [column.get(key) for key in keys] for code, column in columns.items()}
    return ParallelTexts(source, tuple(columns), texts)


def _chosen(found: ParallelTexts, languages: Sequence[str], tuples: int | None) -> ParallelTexts:
    """The wanted languages; every distinct tuple once, at most `tuples` of them."""
    kept = tuple(code for code in found.languages if not languages or code in languages)
    if not kept:
        raise InputError(
            f"parallel source {found.source!r} has none of {', '.join(languages)}; it has {', '.join(found.languages)}"
        )
    rows = list(zip(*(found.texts[code] for code in kept), strict=True))
    first = {row: i for i, row in reversed(list(enumerate(rows))) if any(row)}
    indices = np.sort(np.fromiter(first.values(), np.int64, len(first)))
    if tuples is not None and tuples < len(indices):
        order = stable_order([str(i) for i in indices], f"tuples/{found.source}/")
        indices = indices[order < tuples]
    return ParallelTexts(found.source, kept, {code: found.texts[code] for code in kept}).select(indices)
