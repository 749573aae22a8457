"""PyTorch with transformers (installed with `.[bench]`), the peer of training and evaluation; random weights.

Set up like the defaults of `transformers.Trainer`: fused AdamW without weight decay of biases and norms, clipping at 1,
linear warm-up, `DataCollatorWithPadding` in a DataLoader of the main process. Token ids are made beforehand, like ours.
"""

import importlib
import importlib.util
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from itt_jax.data.examples import Examples
    from itt_jax.models import Encoder

ABSENT = "torch is not installed (pip install '.[bench]')"
MEGABATCH = 50  # number of batches that length grouping sorts together


def installed() -> bool:
    """Whether torch and transformers are installed."""
    return all(importlib.util.find_spec(name) is not None for name in ("torch", "transformers"))


def rows_of(examples: "Examples") -> list[dict[str, Any]]:
    """The examples as a tokenised dataset: one dictionary per example."""
    ids, types, offsets = examples.ids.tolist(), examples.token_type_ids.tolist(), examples.offsets.tolist()
    labels = [0] * len(examples) if examples.labels is None else examples.labels.tolist()
    return [
        {
            "input_ids": ids[start:stop],
            "token_type_ids": types[start:stop],
            "attention_mask": [1] * (stop - start),
            "labels": label,
        }
        for start, stop, label in zip(offsets[:-1], offsets[1:], labels, strict=True)
    ]


def length_grouped(lengths: Sequence[int], batch_size: int, steps: int) -> list[list[int]]:
    """`steps` batches, evenly from long to short, from the first of Trainer's mega-batches sorted by length."""
    torch = importlib.import_module("torch")
    grouped = importlib.import_module("transformers.trainer_pt_utils").get_length_grouped_indices
    batches = max(steps, min(len(lengths) // (4 * batch_size), MEGABATCH))
    order = grouped([int(length) for length in lengths], batch_size, batches, torch.Generator().manual_seed(0))
    last = batches * batch_size  # the next mega-batch starts again with long examples
    chosen = [int((k + 0.5) / steps * batches) * batch_size for k in range(steps)]
    return [order[:last][start : start + batch_size] for start in chosen]


def parts_of(steps: Sequence[Sequence[int]], accumulate: int) -> list[list[int]]:
    """The microbatches of the given steps."""
    return [part.tolist() for step in steps for part in np.array_split(np.asarray(step), accumulate)]


class Peer:
    """A sequence classifier of transformers, with its optimizer and schedule.

    Args:
        encoder: our encoder, whose sizes it copies.
        labels: number of classes.
        tokenizer_folder: files of the tokenizer that pads and encodes.
        steps: length of the learning-rate schedule.
    """

    def __init__(self, encoder: "Encoder", labels: int, tokenizer_folder: pathlib.Path, steps: int = 1000):
        self._torch = torch = importlib.import_module("torch")
        transformers = importlib.import_module("transformers")
        torch.manual_seed(0)
        values = encoder.config.to_huggingface() | {"num_labels": labels, "use_mems_eval": False}
        config = transformers.AutoConfig.for_model(values.pop("model_type"), **values)
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._model = transformers.AutoModelForSequenceClassification.from_config(config).to(self._device)
        self._collate = transformers.DataCollatorWithPadding
        self._tokenizer = transformers.AutoTokenizer.from_pretrained(str(tokenizer_folder))
        decayed = [p for name, p in self._model.named_parameters() if p.ndim > 1 and "bias" not in name]
        others = [p for name, p in self._model.named_parameters() if p.ndim <= 1 or "bias" in name]
        groups = [{"params": decayed, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}]
        self._optimizer = torch.optim.AdamW(groups, lr=2e-5, fused=True)
        self._schedule = transformers.get_linear_schedule_with_warmup(self._optimizer, steps // 10, steps)

    def train(
        self,
        dataset: list[dict[str, Any]],
        steps: Sequence[Sequence[int]],
        *,
        length: int | None = None,
        accumulate: int = 1,
        bfloat16: bool = False,
    ) -> float:
        """One optimizer step for each entry of `steps` (indices of examples); returns the last loss.

        Args:
            length: padded length of every row; None pads to the longest of the batch.
            accumulate: number of microbatches in a step.
            bfloat16: compute in bfloat16 (autocast; parameters stay float32).
        """
        torch = self._torch
        self._model.train()
        loader = self._loader(dataset, parts_of(steps, accumulate), length)
        for number, batch in enumerate(loader, start=1):
            with torch.autocast(self._device, torch.bfloat16, enabled=bfloat16):
                loss = self._model(**batch.to(self._device)).loss / accumulate
            loss.backward()
            if number % accumulate == 0:
                torch.nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
                self._optimizer.step()
                self._schedule.step()
                self._optimizer.zero_grad()
        return float(loss.detach())

    def predict(self, dataset: list[dict[str, Any]], batch_size: int = 32, *, bfloat16: bool = False) -> np.ndarray:
        """Logits float32 [n, labels] in dataset order; each batch is padded to its longest row."""
        torch = self._torch
        self._model.eval()
        parts = [
            list(range(first, min(first + batch_size, len(dataset)))) for first in range(0, len(dataset), batch_size)
        ]
        found = []
        with torch.inference_mode(), torch.autocast(self._device, torch.bfloat16, enabled=bfloat16):
            for batch in self._loader(dataset, parts, None):
                found.append(self._model(**batch.to(self._device)).logits.float().cpu().numpy())
        return np.concatenate(found)

    def encoded(self, fields: Sequence[list[str]], max_length: int) -> list[dict[str, Any]]:
        """A dataset for `predict` from n texts per field, encoded by the tokenizer's own batch encoding."""
        encoded = self._tokenizer(*fields, truncation=True, max_length=max_length)
        return [{name: values[i] for name, values in encoded.items()} | {"labels": 0} for i in range(len(fields[0]))]

    def _loader(self, dataset: list[dict[str, Any]], parts: list[list[int]], length: int | None) -> Any:
        padding = {"padding": True} if length is None else {"padding": "max_length", "max_length": length}
        collate = self._collate(self._tokenizer, **padding)
        return self._torch.utils.data.DataLoader(dataset, batch_sampler=parts, collate_fn=collate)
