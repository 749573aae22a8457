"""Comparisons of a family with its classes in `transformers`, for tiny models: states, heads, gradients, bytes.

Every model comes from the fixture `reference`, with every parameter redrawn; rows are padded right, left and not at
all.
"""

import jax
import jax.numpy as jnp
import numpy as np

from itt_jax.models import checkpoints, from_pretrained, load_model
from tests.batches import as_batch

VOCABULARY, LENGTH = 90, 20


def sharpened(model, torch, names: tuple[str, ...], factor: float = 5.0):
    """The model with other weights of queries and keys: the fixture's deviation is for wide layers after a norm."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(names):
                parameter *= factor
    return model


def check_states(model, padded, close, torch, tmp_path, length: int = LENGTH) -> int:
    """Every hidden state of a bare encoder equals the reference's; returns their number."""
    model.save_pretrained(tmp_path)
    encoder, params = from_pretrained(tmp_path)
    ids, mask, _ = padded(model.config.vocab_size, encoder.config.pad_id, length)
    with torch.no_grad():
        theirs = model(torch.from_numpy(ids), torch.from_numpy(mask), output_hidden_states=True, output_attentions=True)
    # Even attention would hide errors.
    assert min(layer.max(-1).values.mean() for layer in theirs.attentions) > 4 / length
    ours = jax.jit(lambda: encoder(params, ids, mask, all_layers=True))()
    for state, expected in zip(ours, theirs.hidden_states, strict=True):
        close(state, expected, mask)
    return len(ours)


def check_head(model, kind: str, padded, close, torch, tmp_path) -> None:
    """A head's outputs equal the reference's, and its parameters are the same bytes under the same names."""
    model.save_pretrained(tmp_path)
    encoder, head, params, _ = load_model(tmp_path)
    assert head.kind.name == kind
    ids, mask, _ = padded(VOCABULARY, encoder.config.pad_id, LENGTH)
    ids, mask = ids[[0, 2]], mask[[0, 2]]  # Hugging Face's classifiers read the first position
    shape = (1, 2, LENGTH) if kind == "multiple_choice" else (2, LENGTH)
    with torch.no_grad():
        theirs = model(torch.from_numpy(ids).view(shape), attention_mask=torch.from_numpy(mask).view(shape))
    ours = jax.jit(lambda: head(params, encoder(params["encoder"], ids, mask), places(mask)))()
    if kind == "question_answering":
        theirs = torch.stack([theirs.start_logits, theirs.end_logits], -1)
    else:
        theirs = theirs.logits
    close(ours.reshape(theirs.shape), theirs, None if head.by_example else mask)
    stored = {name: stored.read() for name, stored in checkpoints.stored_tensors(tmp_path, []).items()}
    again = checkpoints.model_tensors(encoder, params, head)
    assert again.keys() == stored.keys() and all(again[name].tobytes() == stored[name].tobytes() for name in stored)


def check_gradients(model, padded, gradients_close, torch, tmp_path) -> None:
    """A classifier's loss and gradients equal the reference's."""
    model.save_pretrained(tmp_path)
    encoder, head, params, _ = load_model(tmp_path)
    ids, mask, _ = padded(VOCABULARY, encoder.config.pad_id, LENGTH)
    ids, mask, labels = ids[[0, 2]], mask[[0, 2]], np.array([0, 2])

    def loss(params):
        logits = head(params, encoder(params["encoder"], ids, mask), places(mask))
        return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1).mean()

    value, gradients = jax.jit(jax.value_and_grad(loss))(params)
    model.zero_grad()
    theirs = model(torch.from_numpy(ids), torch.from_numpy(mask), labels=torch.from_numpy(labels)).loss
    theirs.backward()
    assert abs(float(value) - theirs.item()) <= 1e-4
    gradients_close(checkpoints.model_tensors(encoder, gradients, head), model)


def check_packing(encoder, params) -> None:
    """Rows that hold two examples and padding equal the examples on their own."""
    ids = np.random.default_rng(0).integers(6, encoder.config.vocabulary_size, (1, 40))
    packed = jax.jit(encoder)(params, ids, segment_ids=np.repeat([[1, 2, 0]], [25, 12, 3], axis=1))
    for start, stop in ((0, 25), (25, 37)):
        alone = jax.jit(encoder)(params, ids[:, start:stop])
        np.testing.assert_allclose(packed[:, start:stop], alone, atol=1e-5)


def places(mask: np.ndarray):
    """The batch of rows with one example each."""
    rows = np.arange(len(mask))
    where = {"summary_rows": rows, "summary_positions": np.zeros(len(mask), np.int32)}
    return as_batch(where | {"example_ids": np.where(mask, rows[:, None], len(mask))})
