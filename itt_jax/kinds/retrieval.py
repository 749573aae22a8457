"""The right candidate for a query, by the vectors of texts."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from itt_jax.data.examples import Examples, assemble
from itt_jax.data.rows import Rows
from itt_jax.data.table import Table
from itt_jax.data.tokenizing import Tokenizer
from itt_jax.errors import InputError
from itt_jax.kinds.forms import CLEAN_FORM, Form, FormKey, Inputs
from itt_jax.kinds.kind import Gold, Kind, Published, TaskLike, permuted
from itt_jax.metrics import metric
from itt_jax.metrics.ranking import nearest, pair_threshold
from itt_jax.ragged import Ragged, offsets_of, ragged_positions


@dataclasses.dataclass(frozen=True)
class Ranked:
    """The best candidates of n queries: cosines float32 [n, k], best first, and their indices int64 [n, k]."""

    cosines: np.ndarray
    indices: np.ndarray


@dataclasses.dataclass(frozen=True)
class Mined:
    """p pairs of a query and a candidate, each in at most one: indices int64 [p], scores float32 [p]."""

    queries: np.ndarray
    candidates: np.ndarray
    scores: np.ndarray

    def as_scores(self) -> dict[tuple[int, int], float]:
        """Pair -> score."""
        pairs = zip(self.queries.tolist(), self.candidates.tolist(), strict=True)
        return dict(zip(pairs, self.scores.tolist(), strict=True))


class Retrieval(Kind):
    """Candidates are fields of the rows, each row's own being correct (Tatoeba), or a pool that all queries search.

    Labels are row numbers int32 [n], or indices of correct candidates in the pool, Ragged int64 [n]. A query has the
    fields of a row that are not candidates. The task says which fields are perturbed: Tatoeba's candidates, so that the
    figure for clean text is XTREME's, and LAReQA's questions.
    """

    name = "retrieval"
    summary = "the right candidate for a query, by the vectors of texts"
    head = "embedding"
    layout = "groups"
    pools = False
    by_vectors = True
    named_outputs = False

    def check(self, task: TaskLike) -> None:
        """Accepts every task."""

    def outcomes(self, task: TaskLike) -> tuple[str, ...]:
        """The best candidate of each row; in a pool, rankings or mined pairs."""
        return ("candidate",) if task.candidates else ("ranking", "pairs")

    def label_space(self, task: TaskLike) -> str:
        """One space for all vectors."""
        return "vector"

    # --- Labels

    def read_labels(self, task: TaskLike, published: Published, table: Table) -> tuple[Any, np.ndarray]:
        """Row numbers, or the correct candidates in the table's pool.

        Raises:
            InputError: the task has neither a pool nor candidate fields, or both.
        """
        if (table.pool is None) == (not task.candidates):
            raise InputError(
                f"task {task.name!r}: needs either a source with a pool of candidates, or candidate fields"
            )
        labels = np.arange(len(table.indices), dtype=np.int32) if task.candidates else table.labels
        return labels, np.ones(len(table.indices), bool)

    def join(self, parts: Sequence[Any]) -> Any:
        """Concatenated labels of rows that search the same pool."""
        return Ragged.joined(parts) if isinstance(parts[0], Ragged) else super().join(parts)

    def label_bytes(self, labels: Any) -> bytes:
        """Bytes of row numbers or of the indices of correct candidates."""
        return super().label_bytes(labels.values if isinstance(labels, Ragged) else labels)

    def label_texts(self, task: TaskLike, rows: Rows) -> list[str]:
        """The texts of the correct candidates."""
        if rows.pool is None:
            return [" ".join(texts) for texts in zip(*(rows.fields[name] for name in task.candidates), strict=True)]
        candidates = [" ".join(texts) for texts in zip(*rows.pool.fields.values(), strict=True)]
        return [" | ".join(candidates[i] for i in own) for own in rows.labels_as(Ragged).arrays()]

    def shuffle(self, task: TaskLike, rows: Rows, seed: int) -> Rows:
        """Rows with another row's candidates."""
        order = permuted(np.arange(len(rows)), seed)
        moved = {name: [rows.fields[name][i] for i in order] for name in task.candidates}
        return dataclasses.replace(rows, fields=rows.fields | moved)

    def file_format(self, task: TaskLike) -> str:
        """Numbers of sentences (Tatoeba), rankings or mined pairs."""
        if task.candidates:
            return "labels"
        return "pairs" if "pairs" in metric(task.metric).outcomes else "rankings"

    # --- Training

    def classes(self, task: TaskLike) -> int:
        """A query and its candidate."""
        return 2

    def encode(self, task: TaskLike, tokenizer: Tokenizer, rows: Rows, max_length: int) -> Examples:
        """Queries with their correct candidates: item i is examples 2 i (query) and 2 i + 1 (candidate); labels are 0.

        Raises:
            InputError: the candidates are a pool.
        """
        if not task.candidates:
            raise InputError(f"task {task.name!r}: a task whose candidates are a pool cannot be trained on")
        sides = [
            assemble(tokenizer, [tokenizer.encode(rows.fields[name], rows.language) for name in names], max_length)
            for names in _sides(task)
        ]
        return side_by_side(*sides)

    def encoding_key(self, task: TaskLike) -> list:
        """Includes the candidates."""
        return [*super().encoding_key(task), list(task.candidates)]

    def gold(self, task: TaskLike, rows: Rows, examples: Examples) -> Gold:
        """Each row's own candidate."""
        return self.gold_of(examples)

    def gold_of(self, examples: Examples) -> Gold:
        """Each query's own candidate."""
        return Gold(np.arange(examples.items))

    def dev_predictions(self, scores: np.ndarray, gold: Gold) -> Any:
        """The nearest candidate to each query, among those of all rows: int64 [n], from vectors [2 n, D]."""
        return nearest(scores[0::2], scores[1::2])

    # --- Evaluation

    def sides(self, task: TaskLike) -> tuple[tuple[str, ...], ...]:
        """The query, and the candidate if its fields are the row's."""
        return tuple(names for names in _sides(task) if names)

    def predicted(
        self, task: TaskLike, rows: Rows, form: Form, inputs: Inputs, scores: Any, key: FormKey
    ) -> tuple[Any, Any, dict[str, Any]]:
        """Columns of rankings or of mined pairs; `scores` holds a `Ranked` or a `Mined` for each form."""
        found = scores[key]
        if isinstance(found, Mined):
            return _mined(rows, found, scores[CLEAN_FORM])
        return _best(rows, found) if rows.pool is None else _ranking(rows, found)


def _sides(task: TaskLike) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The fields of the query, and those of the candidate."""
    return tuple(name for name in task.fields if name not in task.candidates), task.candidates


def _best(rows: Rows, ranked: Ranked) -> tuple[Any, Any, dict[str, Any]]:
    """Candidates are rows: "prediction" is the best one's number; "ranking" the best ones, "scores" their cosines."""
    found, labels = ranked.indices[:, 0].astype(np.int32), np.arange(len(rows), dtype=np.int32)
    columns = {"prediction": found, "label": labels, "scores": list(ranked.cosines), "ranking": list(ranked.indices)}
    return found, labels, columns


def _ranking(rows: Rows, ranked: Ranked) -> tuple[Any, Any, dict[str, Any]]:
    """Candidates are in a pool: "prediction" and "ranking" are ids of the best ones, "label" of the correct ones."""
    ids = np.array(rows.candidates.ids, dtype=object)
    found = [ids[own].tolist() for own in ranked.indices]
    right = [ids[own].tolist() for own in rows.labels_as(Ragged).arrays()]
    columns = {"prediction": found, "label": right, "scores": list(ranked.cosines), "ranking": found}
    return ranked.indices, rows.labels, columns


def _mined(rows: Rows, mined: Mined, clean: Mined) -> tuple[Any, Any, dict[str, Any]]:
    """Pairs whose score reaches the threshold of highest F1 on clean text; "prediction" is the candidate's id, or "".

    XTREME takes the threshold from a dev split.
    """
    ids, labels = np.array(rows.candidates.ids, dtype=object), rows.labels_as(Ragged)
    right = {(i, int(candidate)) for i, own in enumerate(labels.arrays()) for candidate in own}
    taken = mined.scores >= pair_threshold(clean.as_scores(), right)
    found = np.full(len(rows), -1)
    found[mined.queries[taken]] = mined.candidates[taken]
    best = np.zeros(len(rows), np.float32)
    best[mined.queries] = mined.scores
    columns = {"prediction": [ids[candidate] if candidate >= 0 else "" for candidate in found]}
    columns |= {"label": [ids[own].tolist() for own in labels.arrays()], "scores": list(best[:, None])}
    return found, labels, columns


def side_by_side(queries: Examples, candidates: Examples) -> Examples:
    """Items of two consecutive examples, a query and its candidate; labels are 0."""
    sides = (queries, candidates)
    lengths = np.stack([side.lengths for side in sides], axis=1).ravel()
    starts = np.stack([queries.offsets[:-1], candidates.offsets[:-1] + len(queries.ids)], axis=1).ravel()
    source = ragged_positions(starts, lengths)
    names = ("ids", "token_type_ids", "fields")
    return dataclasses.replace(
        queries,
        **{name: np.concatenate([getattr(side, name) for side in sides])[source] for name in names},
        offsets=offsets_of(lengths),
        summaries=np.stack([side.summaries for side in sides], axis=1).ravel(),
        labels=np.zeros(len(lengths), np.int32),
        choices=2,
    )
