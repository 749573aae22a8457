"""A class for each word of a text."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from itt_jax.data.examples import Examples
from itt_jax.data.rows import Rows
from itt_jax.data.table import Table
from itt_jax.data.tagging import tagging_examples, word_starts
from itt_jax.data.tokenizing import Tokenizer
from itt_jax.errors import InputError
from itt_jax.kinds.forms import LOST, Form, FormKey, Inputs, numbered
from itt_jax.kinds.kind import Gold, Kind, Published, TaskLike, check_classes, class_index, permuted
from itt_jax.ragged import Ragged, offsets_of

_LEFT_OUT = -1
_SINGLE_WORDS = 50  # this many rows of one word each are not sentences
_ONE_A_ROW = "; a table with one token a row has format='conll' and a delimiter, such as ','"


class TokenClassification(Kind):
    """Labels are class indices of words, Ragged int32 [n]; predictions likewise.

    A text is its words with one space between them. Tags follow their words through insertions, deletions and moves; a
    word that is lost entirely does not count.
    """

    name = "token_classification"
    summary = "a class for each word of a text"
    head = "token_classification"
    dev_metric = "tag_accuracy"
    layout = "words"
    pools = False
    table_metric = "entity_f1"

    def check(self, task: TaskLike) -> None:
        """Raises InputError for fewer than two labels, or several fields."""
        super().check(task)
        if len(task.fields) != 1:
            raise InputError(f"task {task.name!r}: {self.name} has one field, found {', '.join(task.fields)}")

    def outcomes(self, task: TaskLike) -> tuple[str, ...]:
        """Tags of words."""
        return ("tags",)

    # --- Labels

    def distinct_labels(self, published: Sequence[str]) -> list[str]:
        """The tags, each once; those of a row are separated by one space."""
        return list(dict.fromkeys(tag for tags in published for tag in tags.split(" ")))

    def read_labels(self, task: TaskLike, published: Published, table: Table) -> tuple[Any, np.ndarray]:
        """The class of each word: Ragged int32 [n]. Published tags are separated by one space.

        A row with a tag that maps to None is left out. A map of IOB1 tags may name only those in the file: if I-X was
        converted to B-X and the map has no B-X, that becomes the B- tag of I-X's class.

        Raises:
            InputError: an empty word, a wrong number of tags, or an unknown tag; the message names its place.
        """
        if table.labels is None:
            return None, np.ones(len(table.indices), bool)
        (texts,) = table.fields.values()
        words, tags = [text.split(" ") for text in texts], [label.split(" ") for label in table.label_texts]
        for i, (own, given) in enumerate(zip(words, tags, strict=True)):
            if not all(own):
                raise InputError(f"{table.place_of_word(i, own.index(''))} is empty{_ONE_A_ROW}")
            if len(own) != len(given):
                raise InputError(f"{table.place(i)}: {len(given)} tags, expected {len(own)}, one for each word")
        if len(words) > _SINGLE_WORDS and all(len(own) == 1 for own in words):
            raise InputError(f"{table.place(0)} and all after it: rows of one word{_ONE_A_ROW}")
        classes: dict[str, int] = {}
        for i, given in enumerate(tags):
            for k, tag in enumerate(given):
                if tag not in classes:
                    written = table.written[i].split(" ")[k] if table.written else tag
                    known = _with_begin(published, tag, written)
                    place = f"{table.place_of_word(i, k)} ({words[i][k]!r:.80})"
                    found = class_index(task, known, tag, place.__str__, written)
                    classes[tag] = _LEFT_OUT if found is None else found
        labels = Ragged.of(([classes[tag] for tag in given] for given in tags), np.int32)
        keep = np.ones(len(tags), bool)
        keep[np.repeat(np.arange(len(tags)), labels.lengths)[labels.values == _LEFT_OUT]] = False
        return labels, keep

    def join(self, parts: Sequence[Any]) -> Any:
        """The texts of all parts."""
        return Ragged.joined(parts)

    def label_bytes(self, labels: Any) -> bytes:
        """The classes; the number of words of each row follows from its text."""
        return np.ascontiguousarray(labels.values).tobytes()

    def shuffle(self, task: TaskLike, rows: Rows, seed: int) -> Rows:
        """Rows with the same tags on other words."""
        labels = rows.labels_as(Ragged)
        return dataclasses.replace(rows, labels=labels.with_values(permuted(labels.values, seed)))

    def label_texts(self, task: TaskLike, rows: Rows) -> list[str]:
        """The words that have a class other than O, as word/class."""
        (texts,) = rows.fields.values()
        named = [[task.labels[tag] for tag in tags.tolist()] for tags in rows.labels_as(Ragged).arrays()]
        pairs = [zip(text.split(" "), tags, strict=True) for text, tags in zip(texts, named, strict=True)]
        return [" ".join(f"{word}/{tag}" for word, tag in pair if tag != "O") for pair in pairs]

    def file_format(self, task: TaskLike) -> str:
        """Tags of sentences."""
        return "tags"

    # --- Training

    def encode(self, task: TaskLike, tokenizer: Tokenizer, rows: Rows, max_length: int) -> Examples:
        """The examples of clean rows; a text that is too long for one has several."""
        (texts,) = rows.fields.values()
        labels = None if rows.labels is None else rows.labels_as(Ragged)
        return tagging_examples(tokenizer, texts, clean_words(texts), max_length, rows.language, labels)[0]

    def encode_form(
        self, task: TaskLike, tokenizer: Tokenizer, rows: Rows, form: Form, max_length: int
    ) -> tuple[Examples, np.ndarray]:
        """With the labels of the words that are left."""
        (texts,) = form.fields.values()
        words = _words(form)
        starts, labels = kept(words, words), kept(rows.labels_as(Ragged), words)
        return tagging_examples(tokenizer, texts, starts, max_length, rows.language, labels)

    def parts(self, rows: Rows, examples: Examples) -> np.ndarray:
        """A long text has several examples; each clean text has a word."""
        first_words = _anchors(examples)[rows.labels_as(Ragged).offsets[:-1]]
        firsts = np.searchsorted(examples.offsets, first_words, side="right") - 1
        return np.append(firsts, len(examples))

    def check_labels(self, name: str, labels: np.ndarray, classes: int) -> None:
        """Raises InputError unless labels are class indices of tokens, -1 at tokens of no word."""
        check_classes(name, labels, classes, lowest=-1)

    def gold_of(self, examples: Examples) -> Gold:
        """The labels of all words, as those of one text."""
        labels = examples.known_labels[_anchors(examples)]
        return Gold(Ragged(labels, offsets_of([len(labels)])))

    def dev_predictions(self, scores: np.ndarray, gold: Gold) -> Any:
        """Predictions from scores [words, outputs]."""
        return self.decode(gold.labels.with_values(scores))

    # --- Evaluation

    def aligned_fields(self, task: TaskLike) -> tuple[str, ...]:
        """The text."""
        return task.fields

    def follow(
        self,
        task: TaskLike,
        rows: Rows,
        fields: Mapping[str, list[str]],
        sources: Mapping[str, Sequence[np.ndarray]],
        changed: np.ndarray,
        edit_rate: float,
    ) -> Form:
        """A form with the positions of the words."""
        (field,) = task.fields
        clean = rows.fields[field]
        words = moved_words(clean, sources[field]) if field in sources else clean_words(clean)
        return Form(dict(fields), changed, edit_rate, words=words)

    def inputs(
        self, task: TaskLike, tokenizer: Tokenizer, rows: Rows, forms: Mapping[FormKey, Form], max_length: int
    ) -> Inputs:
        """Rows with the same text and the same positions of words are one input."""
        texts_and_words = {key: self._texts_and_words(form) for key, form in forms.items()}
        distinct, index = numbered(texts_and_words)
        starts = Ragged.of([np.frombuffer(words, np.int64) for _, words in distinct], np.int64)
        texts = [text for text, _ in distinct]
        examples, parts = tagging_examples(tokenizer, texts, starts, max_length, rows.language)
        return Inputs(examples, index, Ragged(examples.ids, examples.offsets[parts]), starts.offsets)

    @staticmethod
    def _texts_and_words(form: Form) -> list[tuple[str, bytes]]:
        """Each text with the positions of the words that are left, as bytes of int64."""
        (texts,) = form.fields.values()
        starts = kept(_words(form), _words(form)).arrays()
        return [(text, own.tobytes()) for text, own in zip(texts, starts, strict=True)]

    def decode(self, scores: Any) -> Any:
        """The best class of each word: Ragged of scores [words, K] -> Ragged int32."""
        return scores.with_values(super().decode(scores.values))

    def predicted(
        self, task: TaskLike, rows: Rows, form: Form, inputs: Inputs, scores: Any, key: FormKey
    ) -> tuple[Any, Any, dict[str, Any]]:
        """Columns hold lists with an entry for each word that is left; "word" is its number in the clean text, "scores"
        the log-probability of its predicted tag."""
        words = _words(form)
        found, labels = inputs.scores_of_words(scores, key), kept(rows.labels_as(Ragged), words)
        predictions = labels.with_values(self.decode(found).values)
        numbers = Ragged.of(map(np.arange, words.lengths), np.int32)
        likelihood = found.values.max(1) - np.logaddexp.reduce(found.values, axis=1)
        columns = {
            "prediction": predictions.arrays(),
            "scores": labels.with_values(likelihood).arrays(),
            "label": labels.arrays(),
            "word": kept(numbers, words).arrays(),
        }
        return predictions, labels, columns


def _words(form: Form) -> Ragged:
    """Where the words of a form of this kind begin."""
    assert form.words is not None
    return form.words


def _anchors(examples: Examples) -> np.ndarray:
    """The tokens that represent the words in examples of this kind."""
    assert examples.anchors is not None
    return examples.anchors


def _with_begin(published: Published, tag: str, written: str) -> Published:
    """`published` with a tag that was converted from `written`, if it names only the latter."""
    if tag in published or tag == written or written not in published:
        return published
    name = published[written]
    return {**published, tag: f"B-{name[2:]}" if name and name.startswith("I-") else name}


def clean_words(texts: Sequence[str]) -> Ragged:
    """Where each word begins: int64 [words] codepoints for each text."""
    return Ragged.of(map(word_starts, texts), np.int64)


def moved_words(texts: Sequence[str], sources: Sequence[np.ndarray]) -> Ragged:
    """Where each word of the clean `texts` begins after a perturbation, or LOST if nothing of it is left.

    A word that now occurs twice is at its first place.

    Args:
        sources: for each perturbed text, the clean codepoint that each of its codepoints comes from, -1 for none
            (`PerturbedTexts.sources`).

    Returns:
        for each text int64 [words] codepoints of the perturbed text, in the clean order of the words.
    """
    codepoints = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32)
    offsets = offsets_of([len(text) for text in texts])
    spaces = codepoints == ord(" ")
    text_of = np.repeat(np.arange(len(texts)), np.diff(offsets))
    word_of = np.where(spaces, LOST, np.cumsum(spaces) + text_of)
    counts = np.bincount(text_of, spaces, len(texts)).astype(np.int64) + 1
    moved = Ragged.of(sources, np.int64)
    text_of_moved = np.repeat(np.arange(len(texts)), moved.lengths)
    clean = moved.values >= 0
    word = np.full(len(clean), LOST)
    word[clean] = word_of[moved.values[clean] + offsets[text_of_moved[clean]]]
    places = np.flatnonzero(word != LOST)[::-1]  # backwards, so that the first place of a word is written last
    starts = np.full(int(counts.sum()), LOST, np.int64)
    starts[word[places]] = places - moved.offsets[text_of_moved[places]]
    return Ragged(starts, offsets_of(counts))


def kept(rows: Ragged, starts: Ragged) -> Ragged:
    """The entries of words that are not lost; `rows` and `starts` have an entry for each word."""
    left = starts.values != LOST
    counts = np.bincount(np.repeat(np.arange(len(starts)), starts.lengths), left, len(starts))
    return Ragged(rows.values[left], offsets_of(counts))
