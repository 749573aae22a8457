"""README and docs: links lead somewhere, examples run, and every command and benchmark is described."""

import dataclasses
import json
import pathlib
import re
import runpy

import jax
import numpy as np
import pytest

from itt_jax import config, families, kinds, main, metrics, models
from itt_jax.batch import Batch
from itt_jax.bench import BENCHES
from itt_jax.cli.list import LISTED
from itt_jax.data.sources import LocalFiles
from itt_jax.models import heads
from itt_jax.study import quickstart
from itt_jax.tasks import Task

ROOT = pathlib.Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "tpu_scripts").glob("*.md")])
PYTHON = r"^```python\n(.*?)^```$"
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


def example(page: str, number: int = 0) -> str:
    """A Python block of a page."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(PYTHON, text, re.MULTILINE | re.DOTALL)[number]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        assert link.startswith("https://") or (page.parent / link).exists(), link


def test_the_first_study_of_the_readme_is_valid(tmp_path):
    (tmp_path / "tweets.py").write_text(example("README.md"), encoding="utf-8")
    study = config.load(tmp_path / "tweets.py")
    assert study.name == "tweets" and len(study.targets) == 1


def test_the_task_of_the_docs_is_valid(tmp_path):
    (tmp_path / "reviews.py").write_text(example("docs/tasks.md"), encoding="utf-8")
    assert isinstance(runpy.run_path(str(tmp_path / "reviews.py"))["reviews"], Task)


def test_every_command_and_bench_is_described():
    commands = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    described = set(re.findall(r"`([a-z]+) (?:--|[A-Z\w])", commands))
    assert {module.__name__.rpartition(".")[2] for module in main.COMMANDS} <= described
    assert "bench " + r"\|".join(bench.name for bench in BENCHES) in commands
    assert "list " + r"\|".join(LISTED) in commands


def contributed(axis: str) -> dict:
    """What the examples of one of CONTRIBUTING's axes define, after running the checks there."""
    section = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split(f"<!-- example: {axis} -->")[1]
    blocks = re.findall(PYTHON, section.split("\n## ")[0], re.MULTILINE | re.DOTALL)
    space: dict = {}
    exec(compile("\n".join(blocks), "CONTRIBUTING.md", "exec"), space)
    return space


def test_the_arm_of_contributing_is_valid_in_a_study():
    arm = contributed("arm")["DAPT_THEN_ITT"]
    config.validate(dataclasses.replace(quickstart.study, arms=("direct", "itt", arm)))


def test_a_task_can_have_the_kind_and_the_metric_of_contributing(monkeypatch):
    monkeypatch.setattr(kinds, "KINDS", (*kinds.KINDS, contributed("kind")["Ordinal"]()))
    monkeypatch.setattr(metrics, "METRICS", (*metrics.METRICS, contributed("metric")["WithinOne"]()))
    source = LocalFiles({"train": "train.csv"}, "csv", {"text": "text"}, "label")
    stars = Task("stars", "ordinal", ("text",), (source,), labels=("1", "2", "3"), metric="within_one")
    assert kinds.kind(stars.kind).classes(stars) == 3 and stars.label_space == "1|2|3"


def test_the_head_of_contributing_has_huber_loss(monkeypatch):
    monkeypatch.setattr(heads, "HEAD_KINDS", (*heads.HEAD_KINDS, contributed("head")["HUBER_REGRESSION"]))
    encoder = models.make_encoder("bert", layers=1, width=8, heads=2, vocabulary_size=20, max_positions=16)
    head = models.make_head(encoder, "huber_regression", 1, pooling="mean")
    batch = Batch({}, {"labels": np.array([0.5, 4.0, 9.0], "f4"), "weights": np.array([1.0, 1.0, 0.0], "f4")})
    total, weight = head.loss({}, np.zeros((3, 1), "f4"), batch)
    assert float(total) == pytest.approx(0.5 * 0.5**2 + 4 - 0.5) and float(weight) == 2


@pytest.mark.slow
def test_the_family_of_contributing_equals_hugging_face(monkeypatch, tmp_path):
    torch = pytest.importorskip("torch", reason="parity needs PyTorch, the framework of the reference")
    import transformers

    monkeypatch.setattr(families, "FAMILIES", (*families.FAMILIES, contributed("family")["ELECTRA"]))
    sizes = {"hidden_size": 16, "embedding_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = transformers.ElectraConfig(vocab_size=50, intermediate_size=24, num_labels=3, **sizes)
    ids = np.random.default_rng(0).integers(1, 50, (2, 9), dtype=np.int32)
    places = Batch({}, {"summary_rows": np.arange(2), "summary_positions": np.zeros(2, int)})
    for name in ("ElectraForSequenceClassification", "ElectraForTokenClassification", "ElectraForMaskedLM"):
        generator = torch.Generator().manual_seed(0)
        theirs = getattr(transformers, name)(config).eval()
        with torch.no_grad():
            for parameter in theirs.parameters():
                parameter.normal_(0.0, 0.3, generator=generator)
            expected = theirs(torch.from_numpy(ids)).logits.numpy()
        theirs.save_pretrained(tmp_path / name)
        encoder, head, params, _ = models.load_model(tmp_path / name)
        hidden = encoder(params["encoder"], ids, np.ones_like(ids))
        np.testing.assert_allclose(head(params, hidden, places), expected, atol=1e-4)
        models.export(tmp_path / "again", encoder, params, head)
        assert json.loads((tmp_path / "again" / "config.json").read_text())["architectures"] == [name]
        again = models.load_model(tmp_path / "again")[2]
        assert jax.tree.all(jax.tree.map(np.array_equal, params, again))
