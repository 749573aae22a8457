"""A victim that is a function of the text alone, and rows to attack in six scripts."""

import functools
import itertools
import zlib

import numpy as np

from itt_jax.attack import subjects
from itt_jax.data.rows import Rows
from itt_jax.data.sources import LocalFiles
from itt_jax.tasks import Task

TEXTS = {
    "en": ["The patient slept well in the new ward.", "We couldn't find a doctor, and nobody came back to help us."],
    "ru": ["Больной хорошо спал в новой палате.", "Мы не нашли врача, и никто не вернулся помочь."],
    "hi": ["मरीज़ नए वार्ड में अच्छी तरह सोया।", "हमें डॉक्टर नहीं मिला और कोई मदद करने नहीं आया।"],
    "ar": ["نام المريض جيدا في الجناح الجديد.", "لم نجد طبيبا ولم يعد أحد لمساعدتنا."],
    "zh": ["病人在新病房里睡得很好。", "我们没有找到医生，也没有人回来帮忙。"],
    "th": ["ผู้ป่วยนอนหลับดีในหอผู้ป่วยใหม่", "เราไม่พบหมอและไม่มีใครกลับมาช่วย"],
}
LABELS = ("bad", "good", "neither")


@functools.cache
def weights(pair: str) -> tuple[int, int, int]:
    """What a pair of adjacent characters adds to each logit, in fiftieths."""
    code = zlib.crc32(pair.encode())
    return code % 101 - 50, code // 101 % 101 - 50, code // 10201 % 101 - 50


@functools.cache
def logits(text: str) -> np.ndarray:
    """float64 [3]: a sum over pairs of adjacent characters, in favour of no class."""
    return np.array([sum(own) for own in zip(*map(weights, map("".join, itertools.pairwise(text))), strict=True)]) / 50


class ScriptedVictim:
    """`logits` of the edited field; counts its calls and the texts of each."""

    def __init__(self, function=logits):
        self.function, self.asked = function, []

    def outputs(self, texts, language):
        self.asked.append(len(texts))
        return [self.function(text) for *_, text in texts]

    def flips(self, texts, field, labels, each, language):
        """Flips that no gradient chose: each of the first letters in turn as its neighbour in the alphabet."""
        assert field == "hypothesis" and len(texts) == len(labels)
        return [flips_of(text, each) for *_, text in texts]


def flips_of(text: str, each: int) -> list[str]:
    """The text with one of its first letters replaced by the next codepoint."""
    return [text[:i] + chr(ord(text[i]) + 1) + text[i + 1 :] for i in range(min(each, len(text)))]


def task(**changes) -> Task:
    """A classification of pairs whose second text is edited."""
    about = {"kind": "classification", "fields": ("premise", "hypothesis"), "labels": LABELS, "languages": tuple(TEXTS)}
    return Task("scripted", sources=(LocalFiles({"test": "absent.csv"}, "csv", {}, "label"),), **about | changes)


def rows(language: str, labels=None, texts=None) -> Rows:
    """The rows of a language; by default their labels are what the scripted victim says."""
    texts = texts or TEXTS[language]
    labels = np.array([int(logits(text).argmax()) for text in texts], np.int32) if labels is None else labels
    ids = np.array([f"scripted/test/{i}" for i in range(len(texts))])
    fields = {"premise": [f"{i}." for i in range(len(texts))], "hypothesis": list(texts)}
    return Rows("scripted", "test", language, "general", ids, fields, labels)


def cases(language: str, seed: int = 0, **changes):
    """The subjects of a language."""
    return subjects(task(**changes), rows(language), seed=seed)
