"""Tatoeba's sentence pairs with English (LASER's test set v1), as parallel text."""

import functools
import pathlib
from collections.abc import Sequence

from itt_jax.data.parallel import ParallelTexts
from itt_jax.data.sources.paths import resolve
from itt_jax.errors import InputError
from itt_jax.reading.text import check_texts, read_lines

# Files are named by ISO 639-3; all our other codes are ISO 639-1 where that exists.
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
_FOLDER = "crosslingual/tatoeba"


def tatoeba_languages(data_root: str | pathlib.Path | None) -> dict[str, str]:
    """Language -> its spelling in file names, for every language paired with English."""
    folder = resolve(_FOLDER, data_root)
    spelled = sorted(path.suffix[1:] for path in folder.glob("tatoeba.*-eng.*") if path.suffix != ".eng")
    return {_ISO_639_1.get(code, code): code for code in spelled}


def _line(path: pathlib.Path, i: int) -> str:
    return f"{path} or its English, line {i + 1}"


def tatoeba(languages: Sequence[str], data_root: str | pathlib.Path | None) -> ParallelTexts:
    """The pairs of some languages (empty: all); pairs with the same English sentence form one tuple.

    Raises:
        AbsentError: the files are missing.
        InputError: a file is malformed, or has fewer lines than its English one.
    """
    spelled = tatoeba_languages(data_root)
    columns: dict[str, dict[tuple[str, int], str]] = {"en": {}}
    for language in languages or spelled:
        if language not in spelled:
            continue
        stem = f"{_FOLDER}/tatoeba.{spelled[language]}-eng"
        path, english_path = (resolve(f"{stem}.{end}", data_root) for end in (spelled[language], "eng"))
        texts, english = read_lines(path), read_lines(english_path)
        if len(texts) != len(english):
            raise InputError(f"{path}: {len(texts)} lines, expected {len(english)}, one for each of {english_path}")
        check_texts({language: texts, "en": english}, functools.partial(_line, path))
        times: dict[str, int] = {}
        columns[language] = {}
        for text, pivot in zip(texts, english, strict=True):
            # An English sentence with several translations makes several tuples.
            key = (pivot, times.setdefault(pivot, 0))
            times[pivot] += 1
            columns[language][key] = text
            columns["en"][key] = pivot
    return ParallelTexts.of_columns("tatoeba", columns)
