"""What tests of whole runs share: a small encoder, and ways into a results folder."""

import pathlib
from collections.abc import Sequence

import jax
import pandas as pd

from itt_jax import tasks
from itt_jax.config import Corpus, EncoderSpec
from itt_jax.data.contamination import Digests
from itt_jax.data.tokenizing import train_tokenizer
from itt_jax.models import make_encoder, make_head
from itt_jax.store import Store
from itt_jax.store.results import read_results
from itt_jax.store.stages import find_stage
from itt_jax.tasks import Task
from itt_jax.train.checkpoint import save_checkpoint


def encoder(corpus: str, vocabulary_size: int, layers: int = 1, **fields) -> EncoderSpec:
    """A BERT of width 32 without pretraining, its tokenizer trained on a corpus."""
    sizes = {"layers": layers, "width": 32, "heads": 2, "feed_forward": 64, "vocabulary_size": vocabulary_size}
    return EncoderSpec("bert", "bert", corpus=(Corpus(corpus),), **sizes, **fields)


def untrained(folder: pathlib.Path, task: Task, seen: Digests | None = None, language: str = "en") -> pathlib.Path:
    """A checkpoint directory of ours: an untrained encoder of width 8 with a head for a task.

    Args:
        seen: digests of the text that it claims to have been trained on.
    """
    rows = tasks.load_rows(task, "train", language)
    tokenizer = train_tokenizer([text for texts in rows.fields.values() for text in texts], "bert", 200)
    sizes = {"layers": 1, "width": 8, "heads": 2, "feed_forward": 16}
    body = make_encoder("bert", **sizes, vocabulary_size=tokenizer.vocabulary_size, pad_id=tokenizer.pad_id)
    head = make_head(body, "classification", len(task.labels))
    params = {"encoder": body.init(jax.random.key(0)), "head": head.init(jax.random.key(1))}
    save_checkpoint(folder, body, params, head, task.labels, tokenizer=tokenizer, seen=seen)
    return folder


def checkpoint_of(out: pathlib.Path, arm: str, seed: int = 0) -> pathlib.Path:
    """The checkpoint that an arm's cells evaluate."""
    return Store(out).checkpoint(find_stage(out, arm=arm, seed=seed).name)


def assert_same_cells(out: pathlib.Path, study_out: pathlib.Path, where: str, columns: Sequence[str]) -> None:
    """The results of `evaluate` are those of a study's cells that `where` selects."""
    order = ["language", "perturbation", "severity", "replicate"]
    ours, theirs = read_results(out), read_results(study_out).query(where)
    frames = [frame.sort_values(order)[[*order, *columns]].reset_index(drop=True) for frame in (ours, theirs)]
    pd.testing.assert_frame_equal(*frames)
