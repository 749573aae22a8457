"""Hub: folders and the cache are read offline; nothing is asked of an address that does not exist."""

import socket

import pytest

from itt_jax import tasks
from itt_jax.data.sources import Hub, hub
from itt_jax.data.sources.hub import printed
from itt_jax.errors import AbsentError, InputError
from tests.data.sources.own_task import own_task


@pytest.fixture
def hub_folder(tmp_path, monkeypatch):
    """A folder that `datasets` reads, with a class label, and its cache out of the way."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()
    features = datasets.Features(
        {
            "sentence": datasets.Value("string"),
            "label": datasets.ClassLabel(names=["neg", "pos"]),
            "idx": datasets.Value("int32"),
        }
    )
    for split, n in (("train", 30), ("validation", 4)):
        rows = [{"sentence": f"{split} {i}", "label": i % 3 - 1, "idx": 100 + i} for i in range(n)]
        (tmp_path / "set").mkdir(exist_ok=True)
        datasets.Dataset.from_list(rows, features=features).to_parquet(tmp_path / "set" / f"{split}.parquet")
    return str(tmp_path / "set")


def test_hub_reads_a_folder_offline(hub_folder):
    labels = {"neg": "bad", "pos": "good", "-1": None}
    source = Hub(hub_folder, {"text": "sentence"}, label="label", labels=labels, index="idx")
    rows = tasks.load_rows(own_task(source), "dev", "en")
    assert rows.fields["text"] == ["validation 1", "validation 2"] and rows.labels.tolist() == [0, 1]
    assert list(rows.item_ids) == ["mine/dev/101", "mine/dev/102"]
    with pytest.raises(InputError, match="row 0: no column 'text'; the columns are sentence, label, idx"):
        Hub(hub_folder, {"text": "text"}).read("dev", "en")
    with pytest.raises(InputError, match="no column 'gold'"):
        Hub(hub_folder, {"text": "sentence"}, label="gold").read("dev", "en")
    with pytest.raises(InputError, match="split test"):
        source.read("test", "en")
    with pytest.raises(InputError, match="needs index, the column whose values begin with it"):
        Hub(hub_folder, {"text": "sentence"}, prefix="{language}-").read("dev", "en")
    assert printed([1, -1, None], ["neg", "pos"]) == "pos -1 None"


def test_a_hub_without_an_address_is_not_asked_again_and_again(monkeypatch):
    """Nor for good: the next process, or one with a proxy, asks it."""
    datasets, constants = pytest.importorskip("datasets"), pytest.importorskip("huggingface_hub.constants")
    asked = []

    def no_address(*arguments, **options):
        asked.append(arguments)
        raise OSError("Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_address)
    for module in (datasets.config, constants):
        monkeypatch.setattr(module, "HF_HUB_OFFLINE", False)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    hub._has_address.cache_clear()
    for split in ("train", "dev"):
        with pytest.raises(AbsentError, match="hub data set nobody/nothing"):
            Hub("nobody/nothing", {"text": "text"}).read(split, "en")
    assert len(asked) == 1
    assert not datasets.config.HF_HUB_OFFLINE and not constants.HF_HUB_OFFLINE
    monkeypatch.setenv("https_proxy", "http://localhost:1")
    hub._has_address.cache_clear()
    assert hub._has_address("https://huggingface.co") and len(asked) == 1
    hub._has_address.cache_clear()


def test_hub_test_is_glue_dev_and_dev_is_carved_from_train(hub_folder):
    labels = {"neg": "bad", "pos": "good", "-1": "bad"}
    source = Hub(
        hub_folder,
        {"text": "sentence"},
        label="label",
        labels=labels,
        splits={"train": "train", "test": "validation"},
        slices={"train": "train[0%:90%]", "dev": "train[90%:]"},
    )
    train, dev, test = (tasks.load_rows(own_task(source), split, "en") for split in ("train", "dev", "test"))
    assert (len(train), len(dev), len(test)) == (27, 3, 4)
    assert not set(train.item_ids) & set(dev.item_ids) and all(i.startswith("mine/train/") for i in dev.item_ids)
