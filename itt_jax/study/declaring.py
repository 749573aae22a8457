"""What a study declares before its first result: primary contrasts, claims, bound and stopping rule."""

import time
from typing import Any

from itt_jax.config import Study, canonical, content_id
from itt_jax.errors import InputError
from itt_jax.store import Store
from itt_jax.study import arms
from itt_jax.study.growth import value_changes


def content(study: Study, looks: tuple[int, ...]) -> dict[str, Any]:
    """Everything that determines the questions, and when they are answered.

    Args:
        looks: the numbers of seeds at which the study is looked at; empty for a study of a fixed number of seeds.
    """
    targets = [
        {"name": target.name, "evaluate": target.evaluate or (target.train,), "languages": target.languages}
        for target in study.running_targets()
    ]
    compared = [{"name": arm.name, "role": arm.role, "baseline": arm.baseline} for arm in arms.resolved(study.arms)]
    stopping = {"looks": looks} if looks else {"seeds": len(study.seeds)}
    return canonical(
        {
            "encoders": [spec.name for spec in study.encoders],
            "arms": compared,
            "targets": targets,
            "languages": study.languages,
            "perturbations": study.perturbations,
            "evaluation_rows": study.evaluation_rows,
            "noise_seed": study.noise_seed,
            "smallest_effect": study.smallest_effect,
            "claims": study.claims,
            "stopping": {"anytime": True} if study.stopping.anytime else stopping,
        }
    )


def declared(store: Store, study: Study, looks: tuple[int, ...] = ()) -> dict[str, Any]:
    """The declaration that plan.json holds from now on.

    It counts from the moment when it was first written. As long as the folder has no finished target stage, of this
    plan or an earlier one, it may be replaced; what is changed later is kept as a change, with its time, the number of
    target stages that were done and the stopping rule that it replaces.

    Raises:
        InputError: the folder's study was looked at already, and another declaration would begin its looks anew.
    """
    own = content(study, looks)
    new = {"hash": content_id(own), "time": time.time(), "target_stages": 0, "content": own, "changes": []}
    found = (store.existing_plan() or {}).get("declared")
    done = sum(record.get("kind") == "target" for record in store.records())
    if found is None:
        return new | {"target_stages": done}
    if found["hash"] == new["hash"]:
        return found
    fields = value_changes(found["content"], own)
    if store.looks(found["hash"]):
        raise InputError(
            f"--out {store.out}: its study was looked at already, and a look holds for what was declared then "
            f"({'; '.join(fields)}); continue it with --until-decided as declared, or choose another --out"
        )
    if not (done or found["target_stages"] or found["changes"]):
        return new
    change = {"time": new["time"], "target_stages": done, "before": found["hash"], "hash": new["hash"]}
    change["stopping_before"] = found["content"]["stopping"]
    return found | {"hash": new["hash"], "content": own, "changes": [*found["changes"], change | {"fields": fields}]}
