"""PyTorch with transformers, the peer of training and evaluation (`.[bench]`): the same sizes, random weights.

Made as `transformers.Trainer` makes it by default: fused AdamW without decay of biases and norms, clipping at 1, linear
warm-up, `DataCollatorWithPadding` in a DataLoader of the main process. Token ids are made beforehand, as ours are.
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
MEGABATCH = 50  # batches that length grouping sorts together


def installed() -> bool:
    """Whether it is there."""
    return all(importlib.util.find_spec(name) is not None for name in ("torch", "transformers"))


def rows_of(examples: "Examples") -> list[dict[str, Any]]:
    """What a tokenised dataset holds: a dictionary an example."""
    ids, types, offsets = examples.ids.tolist(), examples.types.tolist(), examples.offsets.tolist()
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
    """Batches of one of Trainer's mega-batches sorted by length: `steps` of them, evenly from long to short."""
    torch = importlib.import_module("torch")
    grouped = importlib.import_module("transformers.trainer_pt_utils").get_length_grouped_indices
    batches = max(steps, min(len(lengths) // (4 * batch_size), MEGABATCH))
    own = [int(length) for length in lengths]
    order = grouped(own, batch_size, batches, torch.Generator().manual_seed(0))
    last = batches * batch_size  # those after the first mega-batch begin again with long ones
    chosen = [int((k + 0.5) / steps * batches) * batch_size for k in range(steps)]
    return [order[:last][start : start + batch_size] for start in chosen]


def parts_of(steps: Sequence[Sequence[int]], accumulate: int) -> list[list[int]]:
    """The microbatches of some steps."""
    return [part.tolist() for step in steps for part in np.array_split(np.asarray(step), accumulate)]


class Peer:
    """A model of transformers with the sizes of an encoder of ours.

    Args:
        encoder: whose sizes it has. labels: of the classifier. tokenizer_folder: what pads.
        steps: the length of the schedule.
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

    @property
    def threads(self) -> int:
        """Threads that it computes with."""
        return self._torch.get_num_threads()

    def train(
        self,
        dataset: list[dict[str, Any]],
        steps: Sequence[Sequence[int]],
        *,
        length: int | None = None,
        accumulate: int = 1,
        bfloat16: bool = False,
    ) -> float:
        """One optimiser step for each entry of `steps` (indices of examples); the last loss.

        Args:
            length: rows are padded to; None: to the longest of the batch. accumulate: parts of a step.
            bfloat16: compute in it (autocast; parameters stay float32).
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
        """Logits float32 [n, labels], in batches padded to their longest, in the order of the data."""
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
        """What `predict` reads, from n texts of each field: its tokenizer's own batch encoding."""
        encoded = self._tokenizer(*fields, truncation=True, max_length=max_length)
        return [{name: values[i] for name, values in encoded.items()} | {"labels": 0} for i in range(len(fields[0]))]

    def _loader(self, dataset: list[dict[str, Any]], parts: list[list[int]], length: int | None) -> Any:
        padding = {"padding": True} if length is None else {"padding": "max_length", "max_length": length}
        collate = self._collate(self._tokenizer, **padding)
        return self._torch.utils.data.DataLoader(dataset, batch_sampler=parts, collate_fn=collate)
