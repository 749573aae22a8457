"""Hugging Face reference models with every parameter redrawn, and inputs padded on either side."""

import json

import jax
import numpy as np
import pytest

TOLERANCE = 1e-4  # largest absolute difference between outputs, float32
GRADIENT_TOLERANCE = 1e-3  # largest difference between gradients, relative to the tensor's largest element


@pytest.fixture(scope="session")
def torch():
    """PyTorch, the framework of the reference."""
    return pytest.importorskip("torch", reason="parity needs PyTorch, the framework of the reference")


@pytest.fixture(scope="session")
def base_config(data_root):
    """base_config("roberta-base", num_hidden_layers=2): a published config.json with changes."""

    def read(name: str, **changes) -> dict:
        values = json.loads((data_root / "tokenizers" / name / "config.json").read_text())
        del values["architectures"]
        return values | changes

    return read


@pytest.fixture(scope="session")
def reference(torch):
    """reference("BertModel", config): the model in eval mode, every parameter redrawn.

    Fresh biases are zeros and fresh LayerNorm scales ones, which hides swaps; fresh weights make attention nearly
    even, which hides errors in it. Queries and keys are drawn wide, so that in every layer the most visible key
    has a third of the attention or more; the rest narrow, or all tokens become alike in the upper layers.
    """
    uneven = (".query.weight", ".key.weight", ".rel_attn.q", ".rel_attn.k", ".rel_attn.r")
    uneven += (".Wqkv.weight", ".q_proj.weight", ".k_proj.weight", ".query_proj.weight", ".key_proj.weight")

    def build(class_name: str, config: dict, seed: int = 0):
        import transformers

        model_class = getattr(transformers, class_name)
        generator = torch.Generator().manual_seed(seed)
        model = model_class(model_class.config_class(**config)).eval()
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                is_norm = "norm" in name.lower() and name.endswith("weight")
                deviation = 0.1 if parameter.ndim == 1 or name.endswith(uneven) else 0.03
                parameter.normal_(1.0 if is_norm else 0.0, deviation, generator=generator)
        return model

    return build


@pytest.fixture(scope="session")
def padded():
    """padded(vocabulary_size, pad_id): ids, mask, types [3, 20]; rows padded right, left, and not at all."""

    def draw(vocabulary_size: int, pad_id: int, length: int = 20) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rng = np.random.default_rng(0)
        ids = rng.integers(10, vocabulary_size, (3, length), dtype=np.int32)
        mask = np.ones_like(ids)
        mask[0, length - 7 :] = mask[1, :5] = 0
        types = (np.arange(length)[None] >= length // 2).astype(np.int32) * mask
        return np.where(mask, ids, pad_id).astype(np.int32), mask, types

    return draw


@pytest.fixture(scope="session")
def randomised():
    """randomised(params, seed): the same tree with every array redrawn, for tests without a reference."""

    def redraw(params, seed: int = 0):
        rng = np.random.default_rng(seed)
        return jax.tree.map(lambda x: (0.3 * rng.standard_normal(x.shape)).astype(np.float32), params)

    return redraw


@pytest.fixture(scope="session")
def close(torch):
    """close(ours, theirs, mask): asserts the tolerance at real tokens; returns the largest difference."""

    def check(ours, theirs, mask=None) -> float:
        difference = np.abs(np.asarray(ours) - theirs.detach().numpy())
        if mask is not None:
            difference = difference[np.asarray(mask) > 0]
        assert difference.max() <= TOLERANCE
        return float(difference.max())

    return check


@pytest.fixture(scope="session")
def gradients_close(torch):
    """gradients_close(ours, model): compares every gradient, under Hugging Face's names, with the reference's."""

    def check(ours: dict[str, np.ndarray], model) -> float:
        worst = 0.0
        theirs = {name: p.grad.numpy() for name, p in model.named_parameters() if p.grad is not None}
        assert theirs.keys() <= ours.keys()
        largest = max(np.abs(gradient).max() for gradient in theirs.values())
        for name, gradient in theirs.items():
            # A key's bias shifts all scores of a query equally: its gradient is zero, and rounding is all that is left.
            scale = 1e-3 * largest if name.endswith("key.bias") else np.abs(gradient).max()
            worst = max(worst, np.abs(ours[name] - gradient).max() / scale)
            assert np.abs(ours[name] - gradient).max() <= GRADIENT_TOLERANCE * scale, name
        return worst

    return check
