"""Legal text from the hub, with the metrics that its publications report."""

from itt_jax.data.sources import Hub
from itt_jax.tasks.pairs import INFERENCE
from itt_jax.tasks.task import Task

_PARQUET = "refs/convert/parquet"
"""The hub's own conversion of data sets that are published as a script, which is never run."""


def _contract_nli(name: str, config: str, description: str) -> Task:
    return Task(
        name,
        "classification",
        ("premise", "hypothesis"),
        (
            Hub(
                "kiddothe2b/contract-nli",
                {"premise": "premise", "hypothesis": "hypothesis"},
                config,
                "label",
                revision=_PARQUET,
            ),
        ),
        INFERENCE,
        domain="legal",
        fixed=("hypothesis",),
        description=description,
        note="CC BY-NC-SA 4.0 on the hub. Class neutral is the corpus's NotMentioned; 17 hypotheses recur. Published "
        "figures are accuracy and F1 of the other two classes",
    )


LEGAL = (
    _contract_nli("contract_nli", "contractnli_a", "ContractNLI: inference on passages of non-disclosure agreements"),
    _contract_nli(
        "contract_nli_documents", "contractnli_b", "ContractNLI: inference on whole non-disclosure agreements"
    ),
)
