"""A fine-tuned encoder as the model under attack: texts in, outputs out, in packed batches without duplicates."""

import functools
from collections.abc import Sequence
from typing import Any, TypeVar

import jax
import numpy as np
import numpy.typing as npt

from itt_jax import kinds
from itt_jax.attack.ascents import AscentFinder
from itt_jax.attack.asking import Ascent
from itt_jax.attack.flips import FlipFinder
from itt_jax.attack.gradients import GradientReader
from itt_jax.attack.trigger_words import TriggerReader
from itt_jax.data.examples import assemble
from itt_jax.data.rows import Rows
from itt_jax.data.span_decoding import answers_of
from itt_jax.data.tokenizing import Tokenizer
from itt_jax.errors import NotFiniteError
from itt_jax.kinds.forms import CLEAN_FORM
from itt_jax.models import Encoder, Head
from itt_jax.ragged import Ragged
from itt_jax.tasks import Task
from itt_jax.train.predict import predict_stack
from itt_jax.train.processes import shared
from itt_jax.train.sharding import place_params, stack_mesh

TEXTS_AT_ONCE = 1 << 15
"""Number of texts encoded together; bounds memory."""
Reader = TypeVar("Reader", bound=GradientReader)


class EncoderVictim:
    """An encoder with a head for a task (`attack.asking.Victim`).

    Texts with the same token ids are computed once. With several processes, the first computes the gradient proposals
    for all: on another host, rounding might reverse the order of two tokens that are almost equally good.

    Args:
        max_length: longest example in tokens; longer texts are cut, as in an evaluation.

    Attributes:
        computed: number of examples that went through the encoder.
    """

    def __init__(
        self, task: Task, tokenizer: Tokenizer, encoder: Encoder, head: Head, params: dict[str, Any], max_length: int
    ):
        self.task, self.kind = task, kinds.kind(task.kind)
        self.tokenizer, self.encoder, self.head, self.max_length = tokenizer, encoder, head, max_length
        self._params = place_params([params], encoder.family, stack_mesh())
        self._own = params
        self._readers: dict[type[GradientReader], Any] = {}
        self.computed = 0

    def outputs(self, texts: Sequence[tuple[str, ...]], language: str) -> list[Any]:
        """See `attack.asking.Victim.outputs`.

        Raises:
            NotFiniteError: an output is not finite.
        """
        own = self._whole if self.kind.layout == "whole" else self._by_kind
        parts = [texts[i : i + TEXTS_AT_ONCE] for i in range(0, len(texts), TEXTS_AT_ONCE)]
        return [output for part in parts for output in own(part, language)]

    def flips(
        self, texts: Sequence[tuple[str, ...]], field: str, labels: Sequence[int], each: int, language: str
    ) -> list[list[str]]:
        """See `attack.asking.Victim.flips`."""
        number = self.task.fields.index(field)
        return shared(lambda: self._reader(FlipFinder).flips(texts, number, labels, each, language))

    def ascents(
        self,
        texts: Sequence[tuple[str, ...]],
        field: str,
        labels: Sequence[int],
        ascent: Ascent,
        edits: int,
        language: str,
    ) -> list[list[str]]:
        """See `attack.asking.Victim.ascents`."""
        number = self.task.fields.index(field)
        return shared(lambda: self._reader(AscentFinder).ascents(texts, number, labels, ascent, edits, language))

    def trigger_words(
        self,
        texts: Sequence[tuple[str, ...]],
        field: str,
        labels: Sequence[int],
        trigger: Sequence[str],
        each: int,
        language: str,
    ) -> list[list[str]]:
        """See `attack.asking.Victim.trigger_words`."""
        number = self.task.fields.index(field)
        reader = self._reader
        return shared(lambda: reader(TriggerReader).trigger_words(texts, number, labels, trigger, each, language))

    @functools.cached_property
    def _on_device(self) -> dict[str, Any]:
        """The parameters of the one model, for gradients."""
        return jax.device_put(self._own)

    def _reader(self, kind: type[Reader]) -> Reader:
        if kind not in self._readers:
            self._readers[kind] = kind(self.tokenizer, self.encoder, self.head, self._on_device, self.max_length)
        return self._readers[kind]

    def _whole(self, texts: Sequence[tuple[str, ...]], language: str) -> list[np.ndarray]:
        """Outputs of examples that are a text or a pair."""
        fields, numbers = [], []
        for column in zip(*texts, strict=True):
            distinct: dict[str, int] = {}
            index = [distinct.setdefault(text, len(distinct)) for text in column]
            tokens = self.tokenizer.encode(list(distinct), language)
            keys: dict[bytes, int] = {}
            same = [keys.setdefault(ids.tobytes(), len(keys)) for ids in tokens.arrays()]
            first = np.unique(same, return_index=True)[1]
            fields.append(tokens[first])
            numbers.append([same[i] for i in index])
        inputs: dict[tuple[int, ...], int] = {}
        index = [inputs.setdefault(one, len(inputs)) for one in zip(*numbers, strict=True)]
        chosen = np.array(list(inputs), np.int64)
        columns = [field[chosen[:, k]] for k, field in enumerate(fields)]
        scores = self._predicted(assemble(self.tokenizer, columns, self.max_length))
        self._check_finite(scores, index, texts)
        return list(scores[index])

    def _by_kind(self, texts: Sequence[tuple[str, ...]], language: str) -> list[Any]:
        """Outputs for words, or answers: the task's kind makes the examples."""
        fields = {name: list(own) for name, own in zip(self.task.fields, zip(*texts, strict=True), strict=True)}
        ids = np.arange(len(texts)).astype(str)
        rows = Rows(self.task.name, "attack", language, self.task.domain, ids, fields, None)
        form = self.kind.follow(self.task, rows, fields, {}, np.zeros(len(texts), bool), 0.0)
        inputs = self.kind.inputs(self.task, self.tokenizer, rows, {CLEAN_FORM: form}, self.max_length)
        scores, index = self._predicted(inputs.examples), inputs.index[CLEAN_FORM]
        if inputs.words is not None:
            words = Ragged(scores, inputs.words)
            finite = np.array([np.isfinite(own).all() for own in words.arrays()])
            self._check_finite(np.where(finite, 0.0, np.nan), index, texts)
            return words[index].arrays()
        assert inputs.examples.windows is not None  # the kind is question answering
        answers, found = answers_of(scores, inputs.examples.windows, fields["context"], index)
        self._check_finite(found[:, 0], np.arange(len(texts)), texts)
        return list(zip(answers, found[:, 0].tolist(), strict=True))

    def _predicted(self, examples: Any) -> np.ndarray:
        self.computed += len(examples)
        return predict_stack(self.encoder, self.head, self._params, examples, few=True)[0]

    @staticmethod
    def _check_finite(scores: np.ndarray, index: npt.ArrayLike, texts: Sequence[tuple[str, ...]]) -> None:
        wrong = ~np.isfinite(scores).reshape(len(scores), -1).all(axis=1)
        if wrong.any():
            text = texts[int(np.argmax(wrong[np.asarray(index)]))]
            raise NotFiniteError(f"the model's output is not finite for {' | '.join(text)!r:.200}")
