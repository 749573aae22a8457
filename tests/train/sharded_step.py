"""Run in its own process with eight devices: one update on a mesh, written where the test reads it."""

import sys

import jax

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", int(sys.argv[2]))

import numpy as np  # noqa: E402

from itt_jax.config import Recipe  # noqa: E402
from itt_jax.data import packing  # noqa: E402
from itt_jax.train import sharding, stage  # noqa: E402
from itt_jax.train.loop import stack_batches  # noqa: E402
from itt_jax.train.objectives import TaskObjective  # noqa: E402
from itt_jax.train.optimizer import initial_optimizer_state, make_optimizer, path_name  # noqa: E402
from itt_jax.train.state import member  # noqa: E402
from itt_jax.train.step import summed_gradients  # noqa: E402
from tests.train.toy import FAMILIES, tiny_encoder, toy_task  # noqa: E402

devices, found = int(sys.argv[2]), {}
mesh = sharding.make_mesh(data=4, model=2) if devices == 8 else None
for family in FAMILIES:
    encoder = tiny_encoder(family, layers=1)
    task = toy_task(encoder, 40)
    params = {"encoder": encoder.init(jax.random.key(0)), "heads": (task.head.init(jax.random.key(1)),)}
    batch = packing.pack_update(task.examples, np.arange(16), packing.RowPlan(32, (8,), 1.0), 16)
    batch = stack_batches([{name: batch[name] for name in stage.READ}], 1, 4)
    objective, optimizer = TaskObjective(encoder, task.head, 0, dropout=False), make_optimizer(Recipe())
    step = jax.jit(
        lambda p, b, o=objective, a=optimizer: summed_gradients(*member((p, b), 0), jax.random.key(0), o, a),
        compiler_options={"xla_backend_optimization_level": 0},  # compiling is what takes the time here
    )
    total, _, gradients = step(sharding.place_params([params], family, mesh), sharding.place_batch(batch, mesh))
    found[f"{family}/loss"] = total
    found |= {f"{family}/{path_name(path)}": leaf for path, leaf in jax.tree.leaves_with_path(gradients)}
if devices == 8:  # moments beside their parameters, and a whole stage: rows over all devices
    placed = sharding.place_params([params], family, mesh)
    moments = sharding.place_optimizer(initial_optimizer_state(optimizer, placed), placed, mesh)[1][0].mu
    assert [leaf.sharding for leaf in jax.tree.leaves(moments)] == [leaf.sharding for leaf in jax.tree.leaves(placed)]
    recipe = Recipe(updates=3, batch_size=16, max_length=32, dropout=False)
    result = stage.fine_tune(encoder, [task], task, {"encoder": params["encoder"]}, recipe, 1e-3, 0)
    assert len(result.dev_history) == 1 and not result.degenerate
np.savez(sys.argv[1], **{name: np.asarray(leaf) for name, leaf in found.items()})
