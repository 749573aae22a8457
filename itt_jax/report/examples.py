"""Examples: texts of a folder before and after they were changed, with every model's predictions, in blocks.

A block is a script beside the page that calls a function of the page with plain data, so that a browser loads it from a
folder without a server. It holds one noise, or one attack, on one set of rows. An attack has a text for each model.
"""

import dataclasses
import json
import math
import pathlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from itt_jax.store import Store
from itt_jax.store.results import CLEAN_TEXT
from itt_jax.store.texts import Texts, read_texts

if TYPE_CHECKING:
    import pyarrow as pa

FUNCTION = "ittExamples"
FOLDER = "examples"
MOST_CELLS = 20_000
"""Cells of a folder beyond which only the strongest severity and first replicate of each operator are shown."""
LEFT_OUT = "Of each operator only the strongest severity and the first draw are here, as the folder has many cells."
"""Said where others are left out."""
ONE_CLASS = ("classification", "multiple_choice")
"""Kinds whose prediction is a class, with scores of each."""
ANSWERS = "question_answering"
"""Kind whose predictions the metric compares with several right answers."""
EXACT = "exact_match"
"""Column of its cells: 1 where a prediction is a right answer, as the metric normalises them."""
SETS = ("multilabel", "token_classification")
"""Kinds whose prediction is a list of classes."""
STORED = ["item_id", "prediction", "scores", "label", "applicable"]
"""Columns of every cell that are shown."""
ATTACKED = ("text", "changed", "result", "queries")
"""Further columns of cells under attack."""
PLACE = ["target", "task", "split", "language"]
VARIANT = ["perturbation", "severity", "replicate"]


@dataclasses.dataclass(frozen=True)
class Block:
    """One block.

    Attributes:
        about: what the page knows of it: "file", "rows", "noise", and values for its filters.
        data: what its script holds.
    """

    about: Mapping[str, str]
    data: Mapping[str, Any]

    @property
    def script(self) -> str:
        """The text of its file; JSON in ASCII, which every browser reads alike."""
        return f"{FUNCTION}({json.dumps(self.about['file'])},{json.dumps(self.data, separators=(',', ':'))});\n"


def blocks(out: pathlib.Path, results: pd.DataFrame) -> Iterator[Block]:
    """The blocks of a results folder; none where it holds no texts or no predictions.

    Args:
        results: its cells, those under attack too.
    """
    store = Store(pathlib.Path(out))
    results, number = shown_cells(results), 0
    for (target, task, split, language), own in results.groupby(PLACE, sort=False):
        texts = read_texts(store, (str(task), str(split), str(language)))
        clean = own[own["perturbation"] == CLEAN_TEXT]
        if texts is None or clean.empty or not all(map(store.has_cell, own["cell"])):
            continue
        examples = _examples(store, own, texts)
        before = _Predictions(examples, clean, texts, texts.items)
        rows = f"{task}, {split}, {language}" + (f" ({target})" if target != task else "")
        about = {"rows": rows, "task": str(target), "language": str(language), "domain": str(own["domain"].iloc[0])}
        noises = list(own[own["perturbation"] != CLEAN_TEXT].groupby(VARIANT, sort=False))
        for variant, part in noises or [((CLEAN_TEXT, 0.0, 0), clean)]:
            if part["attack"].iloc[0]:
                found = _attacked(examples, clean, part, texts)
            else:
                after = before if part is clean else _Predictions(examples, part, texts, texts.items)
                found = _data(before, after, texts) | {"noise": noise_name(*variant)}
                changed = texts.forms.get((str(variant[0]), float(variant[1]), int(variant[2])), {})
                for item in found["items"]:
                    item["noisy"] = changed.get(item["id"])
            if not found or not found["items"]:
                continue
            number += 1
            named = {"file": f"{FOLDER}/{number:05d}.js", "noise": found["noise"]}
            named["attack" if part["attack"].iloc[0] else "operator"] = str(variant[0])
            yield Block(about | named, found | {"language": str(language), "of": int(part["n"].iloc[0])})


def shown_cells(results: pd.DataFrame) -> pd.DataFrame:
    """The cells whose texts are shown: of a large folder the strongest severity and first draw of each operator."""
    if len(results) <= MOST_CELLS:
        return results
    strongest = results.groupby("perturbation")["severity"].transform("max")
    return results[(results["severity"] == strongest) & (results["replicate"] == 0)]


def noise_name(operator: str, severity: float, replicate: int) -> str:
    """A noise as a reader chooses it: "swap 0.1", "swap 0.1, draw 2"."""
    named = operator if operator == CLEAN_TEXT else f"{operator} {severity:g}"
    return named + (f", draw {replicate + 1}" if replicate else "")


def _graded(texts: Texts) -> list[str]:
    return [EXACT] if texts.kind == ANSWERS else []


def _examples(store: Store, cells: pd.DataFrame, texts: Texts) -> dict[str, "pa.Table"]:
    """Cell -> those of its examples whose texts are shown; read together, as forms of the same rows share files."""
    import pyarrow as pa
    import pyarrow.compute as pc

    names = [*STORED, *_graded(texts)]
    wanted = {row.cell: [*names, *ATTACKED] if row.attack else names for row in cells.itertuples()}
    items, found = pa.array(texts.items, pa.string()), {}
    for examples in store.cells.read(wanted):
        for cell in examples.parts:
            own = examples.of(cell)
            found[cell] = own.filter(pc.is_in(own.column("item_id"), items))
    return found


class _Predictions:
    """The predictions of every model on the texts of one form of some rows.

    Args:
        examples: cell -> its examples. items: ids of the rows. columns: further columns, into `columns`.
    """

    def __init__(
        self,
        examples: Mapping[str, "pa.Table"],
        cells: pd.DataFrame,
        texts: Texts,
        items: Sequence[str],
        columns: Sequence[str] = (),
    ):
        self.items = items
        self.models = [(str(m), str(a), int(s)) for m, a, s in cells[["model", "arm", "seed"]].to_numpy()]
        self.predictions, self.scores, self.labels, self.applicable = [], [], [], []
        self.columns: dict[str, list[list[Any]]] = {name: [] for name in columns}
        self.right: list[set[str]] = [set() for _ in items]
        for cell in cells["cell"]:
            own = examples[cell]
            at = {item: number for number, item in enumerate(own.column("item_id").to_pylist())}
            found = own.take([at[item] for item in items]).to_pydict()
            self.predictions.append([_shown(texts, one) for one in found["prediction"]])
            self.scores.append(_percents(texts, found["scores"]))
            self.labels, self.applicable = found["label"], found["applicable"]
            for name in columns:
                self.columns[name].append(found[name])
            for name in _graded(texts):
                for right, one, score in zip(self.right, self.predictions[-1], found[name], strict=True):
                    right.update([one] if score == 1 else ())


def _data(before: _Predictions, after: _Predictions, texts: Texts) -> dict[str, Any]:
    """What a block's script holds of models and rows; predictions are numbers of names."""
    names: dict[str, int] = {}
    own = {model: at for at, model in enumerate(before.models)}
    models = [model for model in after.models if model in own]

    def numbered(found: _Predictions, models: Iterable[tuple]) -> list[list[int]]:
        at = {model: number for number, model in enumerate(found.models)}
        return [[names.setdefault(one, len(names)) for one in found.predictions[at[model]]] for model in models]

    data = {
        "fields": list(texts.fields),
        "models": models,
        "before": numbered(before, models),
        "after": numbered(after, models),
        "before_scores": [before.scores[own[model]] for model in models],
        "after_scores": [after.scores[after.models.index(model)] for model in models],
    }
    clean, items = dict(zip(texts.items, texts.clean, strict=True)), []
    for at, item in enumerate(after.items):
        right = _right(texts, after.labels[at])
        label = " or ".join(dict.fromkeys(right)) if right is not None else _shown(texts, after.labels[at])
        if texts.kind == ANSWERS:
            right = sorted(before.right[at] | after.right[at])
        numbers = None if right is None else [names.setdefault(one, len(names)) for one in right]
        row = {"id": item, "label": label, "ok": after.applicable[at], "right": numbers}
        items.append(row | {"clean": clean[item], "noisy": None})
    return data | {"items": items, "names": list(names)}


def _attacked(
    examples: Mapping[str, "pa.Table"], clean: pd.DataFrame, cells: pd.DataFrame, texts: Texts
) -> dict[str, Any] | None:
    """What the script of an attack's block holds; None where no row shows which field was edited.

    Each model has texts of its own: `texts` holds those of the edited field, None where the attack changed none, and
    `notes` what the attack came to.
    """
    there = set(examples[cells["cell"].iloc[0]].column("item_id").to_pylist())
    items = [item for item in texts.items if item in there]
    before = _Predictions(examples, clean, texts, items)
    after = _Predictions(examples, cells, texts, items, ATTACKED)
    found, of = _data(before, after, texts), after.columns
    field = _edited_field([item["clean"] for item in found["items"]], of)
    if field is None:
        return None
    at = [after.models.index(model) for model in found["models"]]
    changed = [[text if own else None for text, own in zip(of["text"][m], of["changed"][m], strict=True)] for m in at]
    notes = [[attack_note(*one) for one in zip(of["result"][m], of["queries"][m], strict=True)] for m in at]
    return found | {"noise": str(cells["perturbation"].iloc[0]), "field": field, "texts": changed, "notes": notes}


def attack_note(result: str, queries: int) -> str:
    """What an attack on one row came to: "succeeded, 31 queries"."""
    return "not attacked" if result == "skipped" else f"{result}, {queries:,} quer{'y' if queries == 1 else 'ies'}"


def _edited_field(clean: Sequence[Sequence[str]], columns: Mapping[str, list[list[Any]]]) -> int | None:
    """The number of the field whose texts an attack edited: the one that unchanged rows still have."""
    fields = len(clean[0]) if clean else 0
    same = [
        (row, text)
        for texts, changed in zip(columns["text"], columns["changed"], strict=True)
        for row, text, own in zip(clean, texts, changed, strict=True)
        if not own
    ]
    fitting = [field for field in range(fields) if all(row[field] == text for row, text in same)]
    return fitting[0] if len(fitting) == 1 else None


def _shown(texts: Texts, value: Any) -> str:
    """A prediction or label as text."""
    if texts.kind in ONE_CLASS and isinstance(value, int):
        return texts.labels[value] if 0 <= value < len(texts.labels) else f"choice {value + 1}"
    if texts.kind in SETS and isinstance(value, list):
        names = (
            texts.labels[one] if isinstance(one, int) and 0 <= one < len(texts.labels) else str(one) for one in value
        )
        return " ".join(names) or "none"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _right(texts: Texts, label: Any) -> list[str] | None:
    """The predictions that are right; None where predictions are right by degrees."""
    if texts.kind in (*ONE_CLASS, *SETS):
        return [_shown(texts, label)]
    if texts.kind == ANSWERS and isinstance(label, list):
        return [str(one) for one in label]
    return None


def _percents(texts: Texts, scores: Sequence[Any]) -> list[int] | None:
    """The probability of the best class of each row, in percent; None for kinds without one."""
    if texts.kind not in ONE_CLASS:
        return None
    logits = np.array(scores, dtype=float)
    if logits.ndim != 2 or logits.shape[1] < 2 or not np.isfinite(logits).all():
        return None
    share = 1 / np.exp(logits - logits.max(1, keepdims=True)).sum(1)
    return [math.floor(100 * one + 0.5) for one in share]
