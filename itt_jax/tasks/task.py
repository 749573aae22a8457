"""A task: its kind, fields, labels and metric, and the sources of its rows."""

import dataclasses
from typing import Literal

from itt_jax import kinds, metrics
from itt_jax.data.sources import Source
from itt_jax.errors import InputError, unknown


@dataclasses.dataclass(frozen=True)
class Task:
    """A named task; a study may define its own.

    Attributes:
        name: as configs and tables name it.
        kind: name of one of `kinds.KINDS`.
        fields: names of its texts, in order; one or two, except for "multiple_choice".
        labels: class names, in the order of the class indices; for "multiple_choice", the fields to choose from. Empty
            for kinds without classes.
        score_range: lowest and highest score of a regression.
        space: name of the label space; empty means the class names themselves. Tasks of one label space may be
            evaluated with each other's heads.
        metric: name of one of `metrics.METRICS` that fits the kind.
        sources: where its rows are, the preferred first.
        domain: what the texts are about; `in_domain` and domain gaps compare it with that of the training rows.
        languages: codes of the languages of its rows. source_language: the language of training.
        parallel: row i of every language is a translation of the same item.
        rows_per_group: this many consecutive rows share a text, and stay together when a split is sliced.
        documents: rows are parts of documents (an index is "document-part") that stay together when a split is sliced.
        held_out_sentences: for rows that are phrases of sentences (SST-2), the share of sentences whose longest phrase
            makes the "dev" split; no phrase of them is left in "train" (see `tasks.splits.hold_out_sentences`).
        patterns: field -> pattern into which its published text is put, such as "What was the {}?".
        fixed: fields whose texts recur from row to row (a question of few forms). They do not identify a row in the
            search for contamination, and no perturbation edits them.
        candidates: candidate fields of a retrieval task; each row's own candidate is correct. Empty when the task has a
            pool.
        editable: fields that a perturbation may edit; empty means all that are not fixed.
        contamination: "whole_input", "any_field" or "off": which of its training and dev rows are dropped because they
            are evaluated (see `data.contamination`); empty means the study's rule.
        description: one line for `list tasks`.
        note: licence or protocol that a reader of results must know.
    """

    name: str
    kind: str
    fields: tuple[str, ...]
    sources: tuple[Source, ...]
    labels: tuple[str, ...] = ()
    score_range: tuple[float, float] = (0.0, 1.0)
    space: str = ""
    metric: str = "accuracy"
    domain: str = "general"
    languages: tuple[str, ...] = ("en",)
    source_language: str = "en"
    parallel: bool = False
    rows_per_group: int = 1
    documents: bool = False
    held_out_sentences: float = 0.0
    patterns: dict[str, str] = dataclasses.field(default_factory=dict)
    fixed: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()
    editable: tuple[str, ...] = ()
    description: str = ""
    note: str = ""
    contamination: Literal["", "whole_input", "any_field", "off"] = dataclasses.field(
        default="", metadata={"later": True}
    )

    def __post_init__(self):
        """Raises InputError if fields do not fit together."""
        if isinstance(self.sources, Source):
            raise InputError(
                f"task {self.name!r}: sources: expected a tuple; write ({type(self.sources).__name__}(...),)"
            )
        kind = kinds.kind(self.kind)
        fitting = [own for own in metrics.METRICS if set(own.outcomes) & set(kind.outcomes(self))]
        if self.metric not in {own.name for own in fitting}:
            raise unknown(f"metric of {self.kind} task {self.name!r}:", self.metric, [own.name for own in fitting])
        kind.check(self)
        metrics.metric(self.metric).check(self.labels)
        if not self.fields or not self.sources:
            raise InputError(f"task {self.name!r}: needs fields and sources")
        # vectors are compared without training, so only other kinds need a source language
        if self.source_language not in self.languages and not kind.by_vectors:
            raise InputError(
                f"task {self.name!r}: its source_language {self.source_language!r} is not among its languages, "
                f"{', '.join(self.languages)}"
            )
        for label in (label for source in self.sources for label in source.labels):
            if not isinstance(label, str):
                raise InputError(
                    f"task {self.name!r}: labels of a source: expected published labels as text, found {label!r}"
                )
        groups = {
            "editable": self.editable,
            "candidates": self.candidates,
            "patterns": self.patterns,
            "fixed": self.fixed,
        }
        for group, names in groups.items():
            for field in names:
                if field not in self.fields:
                    raise unknown(f"field in {group} of task {self.name!r}:", field, self.fields)

    @property
    def label_space(self) -> str:
        """Id of the label space."""
        return self.space or kinds.kind(self.kind).label_space(self)

    @property
    def editable_fields(self) -> tuple[str, ...]:
        """Fields that a perturbation may edit."""
        return self.editable or self.identifying_fields

    @property
    def identifying_fields(self) -> tuple[str, ...]:
        """Fields that identify a row."""
        return tuple(field for field in self.fields if field not in self.fixed)
