"""The sections of the page, in its order; a table or figure names its section, and one without any is left out."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Section:
    """A part of the page: its id, its heading, and how to read it."""

    id: str
    title: str
    intro: str = ""


SECTIONS = (
    Section(
        "primary",
        "Primary findings",
        "One contrast per encoder, metric and treatment, declared before any result: how much larger the arm's gain "
        "over its baseline is under perturbation than on clean text, averaged over targets, domains, languages and "
        "operators. Above zero: more robust.",
    ),
    Section("claims", "Claims", "Statements that the study defined before its first result."),
    Section("checks", "Did the stages before the target learn?"),
    Section("scores", "Scores", "Percentage points, with 95 % intervals in brackets."),
    Section(
        "noise",
        "Noise",
        "Interactions here were not declared beforehand, so they are adjusted for the false discovery rate; read them "
        "as questions for another study.",
    ),
    Section("attacks", "Attacks", "Texts that were chosen against each model."),
    Section("languages", "Languages"),
    Section("domains", "Domains"),
    Section(
        "controls",
        "Edits that may change the label",
        "These operators may change the gold label (omission, negation, exchanged entities), so they are no noise to "
        "be robust against and part of no average above. A model that reads the text notices them.",
    ),
    Section("rests", "Data and noise"),
    Section("cost", "Cost and training"),
)
