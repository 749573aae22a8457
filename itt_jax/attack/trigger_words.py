"""Words for the places of a trigger, by the gradients of many texts together (arXiv 1908.07125)."""

from collections.abc import Sequence

import jax
import numpy as np

from itt_jax.attack.gradients import GradientReader, loss_gradient

SPARE = 4
"""Words that are encoded for each that is wanted, as some do not stay one token."""
_gradient = jax.jit(loss_gradient, static_argnames=("encoder", "head"))


class TriggerReader(GradientReader):
    """Proposes words for triggers, for one classifier."""

    def trigger_words(
        self,
        texts: Sequence[tuple[str, ...]],
        field: int,
        labels: Sequence[int],
        trigger: Sequence[str],
        each: int,
        language: str,
    ) -> list[list[str]]:
        """For each place of a trigger before one field of all texts, the words of the highest score g . E, best first.

        g is the mean gradient of -log p(label) by the embedding of the first token of the word there. Words are tokens
        of letters that begin a word, and are one token in that place of the trigger. In byte-level vocabularies the
        first word of a text is a token without a mark.

        Args:
            texts: the fields of each text. field: number of the field. labels: right classes.
        """
        prefix = " ".join(trigger)
        starts = np.cumsum([0, *(len(word) + 1 for word in trigger)])[:-1]
        ((ids, spans),) = self.tokenizer.locate_whole([prefix])
        tokens = [next(i for i, (_, stop) in enumerate(spans) if stop > start) for start in starts.tolist()]
        longer = [(*own[:field], f"{prefix} {own[field]}", *own[field + 1 :]) for own in texts]
        examples, total = self.examples(longer, labels, language), 0.0
        for batch, found in self.batches(examples, field):
            gradient = np.asarray(_gradient(self.params, batch, encoder=self.encoder, head=self.head))
            total += sum(gradient[row, places[tokens]].astype(np.float64) for _, row, places in found)
        table = np.asarray(self.encoder.word_embeddings(self.params["encoder"]), np.float32)
        words = np.array([piece.isalpha() for piece in self.plain], bool)
        begins = np.repeat(self.begins[None], len(trigger), axis=0)
        begins[0] = self.begins == self.begins[ids[0]]
        closed = self.barred | ~begins | ~np.pad(words, (0, len(self.barred) - len(words)))
        scores = np.where(closed, -np.inf, total @ table.T)
        return [self._words(trigger, place, own, each) for place, own in enumerate(scores)]

    def _words(self, trigger: Sequence[str], place: int, scores: np.ndarray, each: int) -> list[str]:
        """The best words that are one token in a place of the trigger."""
        order = [i for i in np.argsort(-scores, kind="stable")[: SPARE * each].tolist() if np.isfinite(scores[i])]
        made = [" ".join((*trigger[:place], self.plain[i], *trigger[place + 1 :])) for i in order]
        start = len(" ".join((*trigger[:place], "")))
        found = []
        for i, (ids, spans) in zip(order, self.tokenizer.locate_whole(made) if made else [], strict=True):
            own = [k for k, (a, b) in zip(ids, spans, strict=True) if b > start and a < start + len(self.plain[i])]
            if own == [i]:
                found.append(self.plain[i])
        return found[:each]
