"""An arm of three stages."""

from itt_jax.study.arms import Adapt, Arm, FineTune

DAPT_THEN_ITT = Arm(
    "dapt_then_itt",
    "language modelling on domain text, the intermediate task, then the target",
    stages=(Adapt("domain"), FineTune("intermediate"), FineTune("target")),
    baseline="itt",
)
