"""The material of a study: its tasks, rows and corpora, read once and without contamination, with digests for ids."""

import contextlib
import dataclasses
import functools
import hashlib
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from itt_jax import files, kinds, tasks
from itt_jax.config import Corpus, EncoderSpec, Study
from itt_jax.data.contamination import (
    RULES,
    Contamination,
    Digests,
    contaminated,
    contaminated_tuples,
    digests,
    shared_fields,
)
from itt_jax.data.parallel import ParallelTexts
from itt_jax.data.pools import Pool
from itt_jax.data.rows import Rows
from itt_jax.data.tokenizing import reading_version
from itt_jax.errors import AbsentError, InputError, listed
from itt_jax.models import local_folder
from itt_jax.perturb.lexicon import lexicon_source
from itt_jax.tasks.parallel import load_parallel
from itt_jax.tasks.splits import parse
from itt_jax.train.checkpoint import load_seen

CHANGED = "has changed since the study was planned; run it again to plan with what is there"
"""What is said of files that were read for a plan and are read again while the study runs."""
CHARACTERS_PER_TOKEN = 3.5
"""A rough mean over languages and vocabularies, used only in cost estimates."""


@dataclasses.dataclass(frozen=True)
class Selection:
    """Rows by name: a split (or a slice of one) of a task in one language, at most `limit` of them."""

    task: str
    split: str
    language: str
    limit: int | None = None


class Material:
    """Reads the rows of a study; every method caches, so calls are cheap and always give the same answer.

    Args:
        study: its own tasks come before the catalogue's.
        data_root: folder of local files in their published formats, or None for embedded, hub and TFDS sources.

    Attributes:
        contamination: by source, the training and dev rows whose text is evaluated.
        left_out: by source, published label -> number of rows left out because the task's source maps this label to
            None.
    """

    def __init__(self, study: Study, data_root: pathlib.Path | None = None):
        self.study = study
        self.data_root = data_root
        self.contamination: dict[str, Contamination] = {}
        self.left_out: dict[str, dict[str, int]] = {}
        self._rows: dict[Selection, Rows] = {}
        self._uncontaminated: dict[Selection, Rows] = {}
        self._signal: dict[Selection, Rows | None] = {}
        self._digests: dict[tuple[Selection, bool], str] = {}
        self._corpora: dict[Corpus, ParallelTexts] = {}
        self._checkpoints: dict[str, str] = {}
        self._files: dict[str, list[tuple[str, int, int]]] = {}  # of a checkpoint directory, when its hash was made
        self._seen: dict[str, Digests] = {}
        self._evaluation_text: Digests | None = None

    def task(self, name: str) -> tasks.Task:
        """The task of that name: the study's own, or the catalogue's."""
        return tasks.get(name, self.study.tasks)

    def has(self, task: str, split: str, language: str) -> bool:
        """Whether the task has that split in that language, and its files are there.

        Raises:
            InputError: the files of a task of the study's own are missing; those of a catalogued task may be.
        """
        if not tasks.has_rows(self.task(task), split, language, self.data_root):
            return False
        try:
            self.rows(Selection(task, split, language))
        except AbsentError:
            if task in {own.name for own in self.study.tasks}:
                raise
            return False
        return True

    def rows(self, selection: Selection) -> Rows:
        """The selected rows; the limit takes the same items in every language."""
        if selection not in self._rows:
            if selection.limit is None:
                task = self.task(selection.task)
                rows = tasks.load_rows(task, selection.split, selection.language, self.data_root)
                if rows.left_out:
                    split = parse(selection.split).split  # rows are left out before a split is sliced
                    self.left_out[f"{selection.task}/{split}/{selection.language}"] = rows.left_out
            else:
                rows = tasks.limit(self.rows(dataclasses.replace(selection, limit=None)), selection.limit)
            self._rows[selection] = rows
        return self._rows[selection]

    def check_labelled(self, selection: Selection) -> None:
        """Raises InputError if the selected rows have no labels to train or to score with."""
        if self.rows(selection).labels is None:
            raise InputError(
                f"task {selection.task!r}, split {selection.split!r}, language {selection.language!r}: no labels; name "
                "their column in the task's source (label=...), or another split in the target"
            )

    def uncontaminated_rows(self, selection: Selection) -> Rows:
        """The selected training or dev rows, without those that the study evaluates.

        The task's rule, or otherwise the study's, decides which those are. The limit applies afterwards.

        Raises:
            InputError: no row is left.
        """
        if selection not in self._uncontaminated:
            everything = self.rows(dataclasses.replace(selection, limit=None))
            evaluation, rule = self.evaluation_text(), self._rule(selection.task)
            identifying = tasks.identifying(self.task(selection.task), everything)
            whole = contaminated(identifying, evaluation)
            mask = {
                "whole_input": lambda: whole,
                "any_field": lambda: contaminated(identifying, evaluation, "any_field"),
                "off": lambda: np.zeros(len(everything), bool),
            }[rule]()
            rows, dropped = everything.select(~mask), int(mask.sum())
            source = f"{selection.task}/{selection.split}/{selection.language}"
            fields = shared_fields(identifying, evaluation)
            entry = Contamination(source, len(everything), dropped, rule, int(whole.sum()), fields)
            self.contamination[source] = entry
            if not len(rows):
                raise InputError(f"{entry.warning()}; none is left")
            self._uncontaminated[selection] = rows if selection.limit is None else tasks.limit(rows, selection.limit)
        return self._uncontaminated[selection]

    def _rule(self, task: str) -> str:
        """The rule by which a task's training and dev rows are dropped because they are evaluated."""
        return self.task(task).contamination or self.study.contamination

    def signal_rows(self, selection: Selection) -> Rows | None:
        """The selected dev rows, on which it is decided whether a group of evaluation rows has signal.

        Evaluated rows never decide this: they are left out even under the rule "off".

        Returns:
            None if the task has no such rows in that language, or they have no labels, or all are evaluated.
        """
        if selection not in self._signal:
            self._signal[selection] = self._signal_rows(selection)
        return self._signal[selection]

    def _signal_rows(self, selection: Selection) -> Rows | None:
        task = self.task(selection.task)
        if not tasks.has_rows(task, selection.split, selection.language, self.data_root):
            return None
        try:
            rows = self.rows(dataclasses.replace(selection, limit=None))
        except AbsentError:
            return None
        rule = self._rule(selection.task)
        rule = RULES[0] if rule == "off" else rule
        mask = contaminated(tasks.identifying(task, rows), self.evaluation_text(), rule)
        if rows.labels is None or mask.all():
            return None
        return tasks.limit(rows.select(~mask), selection.limit)

    def identifying(self, selection: Selection) -> Rows:
        """The selected rows without contamination, and without fields whose texts recur from row to row."""
        return tasks.identifying(self.task(selection.task), self.uncontaminated_rows(selection))

    def texts(self, selection: Selection) -> list[str]:
        """Every text of the `identifying` rows."""
        return [text for texts in self.identifying(selection).fields.values() for text in texts]

    def evaluation(self) -> list[Selection]:
        """Every evaluation split of the study, whole, in every language that its task has."""
        found = [
            Selection(name, target.test_split, language)
            for target in self.study.running_targets()
            for name in target.evaluate or (target.train,)
            for language in self.task(name).languages
            if self.has(name, target.test_split, language)
        ]
        return list(dict.fromkeys(found))

    def _identifying(self, selection: Selection) -> Rows:
        return tasks.identifying(self.task(selection.task), self.rows(selection))

    def evaluation_text(self) -> Digests:
        """Digests of every evaluation split of the study, in every language.

        Texts that are compared by their vectors are encoded one by one, so each is a whole input.
        """
        if self._evaluation_text is None:
            found: list[Digests] = []
            pools: dict[int, Pool] = {}
            for selection in self.evaluation():
                identifying, pool = self._identifying(selection), self.rows(selection).pool
                alone = kinds.kind(self.task(selection.task).kind).by_vectors
                found += map(digests, identifying.fields.values() if alone else [identifying])
                if pool is not None:
                    pools[id(pool)] = pool
            for texts in (texts for pool in pools.values() for texts in pool.fields.values()):
                found.append(digests(list(dict.fromkeys(texts))))
            self._evaluation_text = Digests.join(found)
        return self._evaluation_text

    def corpus(self, corpus: Corpus) -> ParallelTexts:
        """Parallel tuples for language models, without those whose text is evaluated unless the rule is "off"."""
        if corpus not in self._corpora:
            languages = corpus.languages or self.study.languages
            texts = load_parallel(corpus.source, languages, self.data_root, corpus.tuples, self.study.tasks)
            found, rule = contaminated_tuples(texts, self.evaluation_text()), self.study.contamination
            mask = found & (rule != "off")
            self.contamination[corpus.source] = Contamination(
                corpus.source, len(texts), int(mask.sum()), rule, int(found.sum())
            )
            self._corpora[corpus] = texts.select(~mask)
        return self._corpora[corpus]

    def digest(self, selection: Selection, uncontaminated: bool) -> str:
        """A hash of the content of the selected rows: all of them, or those whose text is not evaluated."""
        key = (selection, uncontaminated)
        if key not in self._digests:
            rows = self.uncontaminated_rows(selection) if uncontaminated else self.rows(selection)
            self._digests[key] = digest_rows(kinds.kind(self.task(selection.task).kind), rows)
        return self._digests[key]

    def corpus_digest(self, corpus: Corpus) -> str:
        """A hash of a corpus's content."""
        texts = self.corpus(corpus)
        return _sha256([text or "" for language in texts.languages for text in texts.texts[language]])

    def checkpoint_digest(self, directory: str) -> str:
        """A hash of the weights and config in a checkpoint directory."""
        if directory not in self._checkpoints:
            folder = local_folder(directory)
            self._files[directory], self._checkpoints[directory] = files.stamps(folder), digest_files(folder)
        return self._checkpoints[directory]

    def check_unchanged(self, directory: str) -> None:
        """Raises InputError if the content of a checkpoint directory has changed since its hash was made."""
        folder, known = local_folder(directory), self._checkpoints.get(directory)
        if known is None or files.stamps(folder) == self._files[directory]:
            return
        if digest_files(folder) != known:
            raise InputError(f"{folder}: {CHANGED}")

    def seen(self, spec: EncoderSpec) -> Digests:
        """What a given checkpoint says that it was trained on; empty for an encoder that is made here."""
        if spec.checkpoint is None:
            return Digests.join([])
        if spec.checkpoint not in self._seen:
            self._seen[spec.checkpoint] = load_seen(local_folder(spec.checkpoint))
        return self._seen[spec.checkpoint]

    def is_contaminated(self, spec: EncoderSpec) -> bool:
        """Whether a given checkpoint was trained on text that the study evaluates on."""
        seen = self.seen(spec)
        return len(seen.inputs) > 0 and seen.overlaps(self.evaluation_text(), self.study.contamination)

    def seen_rows(self, spec: EncoderSpec) -> str:
        """A description of the evaluation rows that a given checkpoint was trained on."""
        found, seen = [], self.seen(spec)
        for selection in self.evaluation():
            mask = contaminated(self._identifying(selection), seen, self.study.contamination)
            if mask.any():
                source = f"{selection.task}/{selection.split}/{selection.language}"
                found.append(f"{mask.sum():,} of {len(mask):,} rows of {source}")
        return listed(found) or "candidates of the study's evaluation rows"

    def tokenizer_digest(self, spec: EncoderSpec) -> str | None:
        """A hash of the encoder's tokenizer files and of the way they are read; None if the tokenizer is trained."""
        directory = spec.tokenizer or spec.checkpoint
        if directory is None:
            return None
        folder = local_folder(directory)
        own = folder / "tokenizer"
        version = reading_version(own if spec.tokenizer is None and own.is_dir() else folder)
        return digest_files(folder, weights=False) + (f"-{version}" if version > 1 else "")


def _sha256(parts: Sequence[str], *blobs: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode())
        digest.update(b"\0")
    for blob in blobs:
        digest.update(blob)
    return digest.hexdigest()[:16]


def digest_rows(kind: kinds.Kind, rows: Rows) -> str:
    """A hash of rows: ids, texts and labels, and the candidates of their pool."""
    parts = [*rows.item_ids, *(text for texts in rows.fields.values() for text in texts)]
    if rows.pool is not None:
        parts += [*rows.pool.ids, *(text for texts in rows.pool.fields.values() for text in texts)]
    return _sha256(parts, b"" if rows.labels is None else kind.label_bytes(rows.labels))


def digest_files(folder: pathlib.Path, weights: bool = True) -> str:
    """A hash of the files under a folder, by content and relative name."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and (weights or (path.suffix in (".json", ".txt", ".model") and path.name != "config.json")):
            digest.update(str(path.relative_to(folder)).encode())
            with open(path, "rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def mean_tokens(rows: Rows) -> float:
    """Estimated number of tokens of a mean row, special tokens included."""
    characters = sum(len(text) for texts in rows.fields.values() for text in texts)
    return characters / max(1, len(rows)) / CHARACTERS_PER_TOKEN + 1 + len(rows.fields)


def lexicon_digest(lexicon: str) -> str:
    """A hash of a lexicon's present content (a file or folder) and of the direction in which it is read.

    Raises:
        InputError: it cannot be read.
    """
    path, inverse = lexicon_source(lexicon)
    try:
        return _content_digest(path, tuple(files.stamps(path))) + "-inverse" * inverse
    except OSError as error:
        raise InputError(f"{lexicon}: {error.strerror}") from error


@functools.lru_cache(maxsize=64)
def _content_digest(path: pathlib.Path, stamps: tuple[tuple[str, int, int], ...]) -> str:
    """A hash of a file or folder; the stamps of its files are part of the cache key."""
    return digest_files(path) if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def check_lexicons(known: Mapping[str, str]) -> None:
    """Check that lexicons, and checkpoints that attacks read, hold what they held when the study was planned.

    Args:
        known: path -> its hash at that time.

    Raises:
        InputError: one holds something else, or is gone.
    """
    for lexicon, digest in known.items():
        with contextlib.suppress(InputError):
            if lexicon_digest(lexicon) == digest:
                continue
        raise InputError(f"{lexicon}: {CHANGED}")
