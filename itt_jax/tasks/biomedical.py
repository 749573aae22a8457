"""Classification of biomedical and scientific text: relations, citations, research questions."""

from itt_jax.data.sources import LocalFiles, LocalRecords
from itt_jax.tasks.classification import CARVED_DEV
from itt_jax.tasks.task import Task

CHEMPROT = tuple(
    "INHIBITOR SUBSTRATE INDIRECT-DOWNREGULATOR INDIRECT-UPREGULATOR ACTIVATOR ANTAGONIST PRODUCT-OF AGONIST "
    "DOWNREGULATOR UPREGULATOR AGONIST-ACTIVATOR SUBSTRATE_PRODUCT-OF AGONIST-INHIBITOR".split()
)


def _scibert(name: str, folder: str, labels: tuple[str, ...], **more) -> Task:
    paths = {s: f"medical/scibert_tasks/text_classification/{folder}/{s}.txt" for s in ("train", "dev", "test")}
    files = LocalFiles(paths, "jsonl", {"text": "text"}, "label")
    return Task(name, "classification", ("text",), (files,), labels, **more)


BIOMEDICAL = (
    Task(
        "pubmedqa",
        "classification",
        ("question", "abstract"),
        (
            LocalRecords(
                "medical/pubmedqa/ori_pqal.json",
                "medical/pubmedqa/test_ground_truth.json",
                {"question": "QUESTION", "abstract": "CONTEXTS"},
                "final_decision",
                slices=CARVED_DEV,
            ),
        ),
        ("yes", "no", "maybe"),
        domain="medical",
        description="PubMedQA: the answer (yes, no, maybe) that an abstract without its conclusion gives to a question",
        note="MIT. test is the published 500 questions. Published figures are accuracy and macro-F1 of models trained "
        "on the other 500 in ten folds; here a tenth of those 500 is dev",
    ),
    _scibert(
        "chemprot",
        "chemprot",
        CHEMPROT,
        domain="medical",
        description="ChemProt: relation of the chemical << >> and the protein [[ ]] marked in a sentence",
        note="for research. SciBERT reports micro-F1, which equals accuracy when every row has one class",
    ),
    _scibert(
        "citation_intent",
        "citation_intent",
        ("Background", "Uses", "CompareOrContrast", "Motivation", "Extends", "Future"),
        metric="macro_f1",
        domain="science",
        description="ACL-ARC: why a paper on computational linguistics cites another",
        note="for research. SciBERT reports macro-F1; train contains some texts more than once",
    ),
    _scibert(
        "scicite",
        "sci-cite",
        ("background", "method", "result"),
        metric="macro_f1",
        domain="science",
        description="SciCite: why a paper, mostly in medicine, cites another",
        note="for research. SciBERT reports macro-F1",
    ),
)
