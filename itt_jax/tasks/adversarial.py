"""AdvGLUE (arXiv 2111.02840): GLUE changed by attacks and validated by people; its dev set, only for evaluation."""

from itt_jax.data.sources import LocalLists
from itt_jax.data.sources.values import LabelNames
from itt_jax.tasks.classification import POLARITY
from itt_jax.tasks.pairs import INFERENCE, PARAPHRASE
from itt_jax.tasks.task import Task

_NOT = ("entailment", "not_entailment")
_INFERENCE = {"premise": "premise", "hypothesis": "hypothesis"}


def _advglue(member: str, columns: dict[str, str], labels: tuple[str, ...]) -> Task:
    """One of its lists; labels are numbers, in GLUE's order."""
    numbered: LabelNames = {str(number): name for number, name in enumerate(labels)}
    return Task(
        f"advglue_{member.replace('-', '_')}",
        "classification",
        tuple(columns),
        (LocalLists({"test": "robustness/advglue/dev.json"}, member, columns, "label", numbered),),
        labels,
        description=f"AdvGLUE: {member} of GLUE under attacks, validated by people",
        note="CC BY-SA 4.0. Test is AdvGLUE's dev; there is nothing to train on",
    )


ADVERSARIAL = (
    _advglue("sst2", {"text": "sentence"}, POLARITY),
    _advglue("qqp", {"sentence1": "question1", "sentence2": "question2"}, PARAPHRASE),
    _advglue("mnli", _INFERENCE, INFERENCE),
    _advglue("mnli-mm", _INFERENCE, INFERENCE),
    _advglue("qnli", {"question": "question", "sentence": "sentence"}, _NOT),
    _advglue("rte", {"premise": "sentence1", "hypothesis": "sentence2"}, _NOT),
)
