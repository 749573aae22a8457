"""What is asked: a task is its fields, its label space, its metric, and the sources of its rows."""

import dataclasses
from typing import Literal

from itt_jax.data.sources import Source
from itt_jax.errors import InputError, unknown

TAGGING_METRICS = ("entity_f1", "entity_f1_0.0.12", "tag_accuracy")
SPAN_METRICS = ("squad_f1", "squad_exact_match", "mlqa_f1", "mlqa_exact_match")
RANKING_METRICS = ("map_at_20", "mrr_at_20")
MINING_METRICS = ("mining_f1",)
MULTILABEL_METRICS = ("r_precision", "label_micro_f1", "label_macro_f1")
_BY_KIND = (*TAGGING_METRICS, *SPAN_METRICS, *RANKING_METRICS, *MINING_METRICS, *MULTILABEL_METRICS)
METRICS = ("accuracy", "macro_f1", "pearson", "spearman", *_BY_KIND)


@dataclasses.dataclass(frozen=True)
class Task:
    """A named task; a study may define its own.

    Attributes:
        kind: "classification" (class index), "multilabel" (any number of classes, whose names hold no space),
            "regression" (score), "token_classification" (a class for each word of one field, whose words
            are separated by one space), "multiple_choice" (which of several fields is right; the other fields are its
            context), "question_answering" (the
            answer to field "question" in field "context") or "retrieval" (the right candidate for a query).
        fields: names of its texts, in order; one or two, but for choice.
        labels: class names, in the order of the class indices; empty for regression; the fields to choose from.
        score_range: lowest and highest score of a regression.
        space: name of the label space; empty means the class names themselves. Tasks of one label space may be
            evaluated with each other's heads.
        sources: where its rows are, the preferred first.
        parallel: row i of every language is a translation of the same item.
        rows_per_group: this many consecutive rows share a text, and stay together when a split is sliced.
        documents: rows are parts of documents (an index is "document-part") that stay together when a split is sliced.
        held_out_sentences: where rows are phrases of sentences (SST-2), the share of sentences whose longest phrase
            makes the "dev" split; nothing of them is left in "train" (see `tasks.splits.hold_out_sentences`).
        patterns: field -> what its published text is put into, such as "What was the {}?".
        fixed: fields whose texts recur from row to row (a question of few forms): they tell no row apart when overlap
            is looked for, and no perturbation edits them.
        candidates: of retrieval: fields whose texts are the candidates, each row's own right; none where a pool is.
        editable: fields that a perturbation may edit; empty means all that are not fixed.
        note: licence or protocol that a reader of results must know.
    """

    name: str
    kind: Literal[
        "classification",
        "multilabel",
        "regression",
        "token_classification",
        "multiple_choice",
        "question_answering",
        "retrieval",
    ]
    fields: tuple[str, ...]
    sources: tuple[Source, ...]
    labels: tuple[str, ...] = ()
    score_range: tuple[float, float] = (0.0, 1.0)
    space: str = ""
    metric: Literal[METRICS] = "accuracy"
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

    def __post_init__(self):
        """Raises InputError where fields do not fit together."""
        if self.kind not in ("regression", "question_answering", "retrieval") and len(self.labels) < 2:
            raise InputError(f"task {self.name!r}: {self.kind} needs at least two labels, found {self.labels}")
        own = {
            "token_classification": TAGGING_METRICS,
            "question_answering": SPAN_METRICS,
            "multilabel": MULTILABEL_METRICS,
        }
        own["retrieval"] = ("accuracy",) if self.candidates else RANKING_METRICS + MINING_METRICS
        others = {name for names in own.values() for name in names} - {"accuracy"}
        known = own.get(self.kind) or [name for name in METRICS if name not in others]
        if self.metric not in known:
            raise unknown(f"metric of {self.kind} task {self.name!r}:", self.metric, known)
        if self.kind == "question_answering" and (self.labels or self.fields != ("question", "context")):
            raise InputError(f"task {self.name!r}: a span task has fields question, context, and no labels")
        if self.kind == "multilabel" and any(len(label.split()) != 1 for label in self.labels):
            raise InputError(f"task {self.name!r}: names of several labels hold no space, found {self.labels}")
        if self.kind == "token_classification" and len(self.fields) != 1:
            raise InputError(f"task {self.name!r}: tagging has one field, found {', '.join(self.fields)}")
        if self.kind == "regression" and (self.labels or not self.score_range[0] < self.score_range[1]):
            raise InputError(f"task {self.name!r}: regression needs a score_range and no labels")
        has_source = self.source_language in self.languages or self.kind == "retrieval"
        if not self.fields or not self.sources or not has_source:
            raise InputError(
                f"task {self.name!r}: needs fields, sources, and its source_language {self.source_language!r} "
                f"among its languages, {', '.join(self.languages)}"
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
        if self.kind == "multiple_choice" and not set(self.labels) < set(self.fields):
            raise InputError(
                f"task {self.name!r}: the labels of a choice are some of its fields, {', '.join(self.fields)}; "
                f"found {', '.join(self.labels)}"
            )

    @property
    def label_space(self) -> str:
        """Id of the label space."""
        return (
            self.space
            or "|".join(self.labels)
            or {"question_answering": "answer", "retrieval": "vector"}.get(self.kind, "score")
        )

    @property
    def editable_fields(self) -> tuple[str, ...]:
        """Fields that a perturbation may edit."""
        return self.editable or self.telling_fields

    @property
    def telling_fields(self) -> tuple[str, ...]:
        """Fields that tell one row from another."""
        return tuple(field for field in self.fields if field not in self.fixed)

    @property
    def context_fields(self) -> tuple[str, ...]:
        """Of choice: the fields that are no choice."""
        return tuple(field for field in self.fields if field not in self.labels)
