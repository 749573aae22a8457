"""Peers of attacks: TextAttack if it is installed, and its algorithm one row at a time in PyTorch."""

import contextlib
import importlib
import importlib.util
import io
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from itt_jax.attack.asking import Victim

BATCH = 32
"""TextAttack's batch size."""


class TorchVictim(Victim):
    """A sequence classifier of transformers as `attack.asking.Victim`, in padded batches.

    Args:
        folder: folder of the model and its tokenizer.
    """

    def __init__(self, folder: pathlib.Path, max_length: int):
        self._torch = importlib.import_module("torch")
        transformers = importlib.import_module("transformers")
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(str(folder), model_max_length=max_length)
        self.model = transformers.AutoModelForSequenceClassification.from_pretrained(str(folder)).eval()

    def outputs(self, texts: Sequence[tuple[str, ...]], language: str) -> list[np.ndarray]:
        """Logits for each text."""
        found = []
        for first in range(0, len(texts), BATCH):
            fields = [list(own) for own in zip(*texts[first : first + BATCH], strict=True)]
            encoded = self.tokenizer(*fields, truncation=True, padding=True, return_tensors="pt")
            with self._torch.inference_mode():
                found += list(self.model(**encoded).logits.numpy())
        return found


def textattack_absent() -> str:
    """Why TextAttack cannot be compared with; empty if it can."""
    if importlib.util.find_spec("textattack") is None:
        return "TextAttack is not installed (pip install textattack)"
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            importlib.import_module("textattack.attack_recipes")
    except (ImportError, LookupError, AttributeError) as error:  # LookupError: NLTK lacks its word lists
        return f"TextAttack cannot be imported: {str(error).strip().splitlines()[0]:.100}"
    return ""


class TextAttackPeer:
    """TextAttack's DeepWordBug on the same model.

    Args:
        victim: its model and tokenizer are wrapped. budget: queries a row.
    """

    def __init__(self, victim: TorchVictim, budget: int):
        recipes = importlib.import_module("textattack.attack_recipes")
        wrappers = importlib.import_module("textattack.models.wrappers")
        self._succeeded = importlib.import_module("textattack.attack_results").SuccessfulAttackResult
        wrapper = wrappers.HuggingFaceModelWrapper(victim.model, victim.tokenizer)
        self._attack = recipes.DeepWordBugGao2018.build(wrapper)
        self._attack.goal_function.query_budget = budget

    def attacked(self, texts: Sequence[str], labels: Sequence[int]) -> tuple[int, int]:
        """Numbers of queries and of successes."""
        self._attack.clear_cache()
        results: list[Any] = [self._attack.attack(text, label) for text, label in zip(texts, labels, strict=True)]
        return sum(own.num_queries for own in results), sum(isinstance(own, self._succeeded) for own in results)
