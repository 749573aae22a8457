"""A study and its parts: frozen dataclasses of everything that determines a result."""

import dataclasses
from typing import Any, Literal

from itt_jax.config.ids import LATER
from itt_jax.study.arms import Arm
from itt_jax.tasks.task import Task

Precision = Literal["auto", "float32", "bfloat16", "bfloat16_products"]


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How one stage is trained. A batch counts examples, not rows, so published recipes keep their meaning.

    Attributes:
        steps: optimizer steps; None derives them from `epochs`.
        epochs: passes over the training rows.
        batch_size: examples per step.
        accumulate: microbatches per step. More of them need less memory and give the same step.
        learning_rates: the grid. Every arm gets the same one; the best rate on the source language's dev rows is kept.
        embedding_learning_rate: factor on the learning rate of the embedding tables; 0 freezes them.
        warmup: share of the steps during which the learning rate rises linearly.
        schedule: the learning rate after warm-up.
        weight_decay, clip_norm, beta1, beta2, epsilon: AdamW's settings; `clip_norm` bounds the gradient's global norm.
        dropout: False trains without dropout.
        max_length: maximum tokens of an example; longer ones are truncated.
        packed: several examples share a row. False pads instead; results agree to rounding.
        temperature: in multi-task sampling, task i is drawn in proportion to size_i ** (1 / temperature).
        evaluate_every: steps between dev evaluations; 0 evaluates once, at the end.
        keep: the parameters of the best dev evaluation or the last ones. The number of steps is the same.
        checkpoint_every: steps between resumable checkpoints.
        objective: name of one of `train.objectives.OBJECTIVES`; "plain" is the head's loss unchanged.
    """

    steps: int | None = None
    epochs: float = 3.0
    batch_size: int = 32
    accumulate: int = 1
    learning_rates: tuple[float, ...] = (2e-5,)
    embedding_learning_rate: float = 1.0
    warmup: float = 0.1
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-6
    dropout: bool = True
    max_length: int = 128
    packed: bool = True
    temperature: float = 1.0
    evaluate_every: int = 0
    keep: Literal["best", "last"] = "best"
    checkpoint_every: int = 1000
    objective: str = dataclasses.field(default="plain", metadata=LATER)


@dataclasses.dataclass(frozen=True)
class LanguageModel:
    """Language-model training: masked (BERT, RoBERTa) or permuted (XLNet), on text and on parallel pairs.

    Attributes:
        recipe: rows of `recipe.max_length` tokens are filled completely; `learning_rates` has one entry.
        masking: share of tokens to predict.
        whole_words: mask whole words (masked language models only).
        translation_share: share of examples that are a concatenated parallel pair (translation language model).
        initial_embeddings: "parallel" initialises the embedding table from co-occurrence in parallel tuples (PPMI,
            randomised SVD). Only for encoders made here.
    """

    recipe: Recipe = Recipe(steps=600, learning_rates=(1e-3,), max_length=64)
    masking: float = 0.15
    whole_words: bool = False
    translation_share: float = 0.0
    initial_embeddings: Literal["random", "parallel"] = "random"


@dataclasses.dataclass(frozen=True)
class Corpus:
    """Parallel or monolingual text for language models and tokenizers.

    Attributes:
        source: a parallel source ("embedded", "tatoeba", "stsb_multi_mt", ...), or "task:NAME" for the texts of a
            task's training rows.
        tuples: maximum number of parallel tuples (or rows), chosen by a stable hash; None takes all.
        languages: languages to read; empty means the study's.
    """

    source: str
    tuples: int | None = None
    languages: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class EncoderSpec:
    """An encoder under study: read from a checkpoint, or made here and pretrained on `corpus`.

    Attributes:
        name: name in configs and tables.
        family: name of a family (`list models`): "bert", "roberta", "xlnet", "modernbert", "eurobert", "deberta".
        checkpoint: a Hugging Face directory or hub id, or one of our checkpoint directories. None makes an encoder of
            the sizes below.
        tokenizer: a directory of tokenizer files or a hub id. None takes the checkpoint's, or trains one on `corpus`.
        layers, width, heads, feed_forward, vocabulary_size, max_positions: sizes of an encoder made here.
        corpus: text of an encoder made here, for its tokenizer and its pretraining.
        pretraining: its language-model training; None leaves it untrained.
        pooling: how heads summarise an example; "pretrained" is the family's own head in Hugging Face.
        pair_features: heads on pairs of texts read (a, b, |a - b|, a * b) of the two, each pooled ("mean", "max_mean").
        seed: seed of initialisation and pretraining.
        attention_dropout: dropout rate of attention probabilities; None is the checkpoint's, or the family's default
            (0.1; 0 for ModernBERT). With 0, GPUs can train with a fused attention kernel too; TPUs do with any rate.
            XLNet and EuroBERT have one rate for all dropout; XLNet and DeBERTa have no such kernel.
        first_layers: number of a checkpoint's layers to keep, from the first; None keeps all. Half of the layers take
            half of the time; Sajjad et al. (2023, arXiv 2004.03844) measure the loss in accuracy.
    """

    name: str
    family: str
    checkpoint: str | None = None
    tokenizer: str | None = None
    layers: int = 2
    width: int = 64
    heads: int = 2
    feed_forward: int = 256
    vocabulary_size: int = 3000
    max_positions: int = 512
    corpus: tuple[Corpus, ...] = ()
    pretraining: LanguageModel | None = None
    pooling: Literal["pretrained", "cls", "mean", "max_mean"] = "pretrained"
    pair_features: bool = False
    seed: int = 0
    attention_dropout: float | None = dataclasses.field(default=None, metadata=LATER)
    first_layers: int | None = dataclasses.field(default=None, metadata=LATER)


@dataclasses.dataclass(frozen=True)
class Target:
    """A target task with its intermediate tasks and recipes.

    Splits are published split names, or slices of one: "dev[0%:70%]" (rows in the order of a stable hash of their item
    id, so that translations of a row stay together).

    Attributes:
        name: name in configs and tables.
        train: the task of the target stage, trained in its source language.
        intermediate: the intermediate tasks, for arms that need one. Arms with one of them take the first.
        recipe: recipe of the target stage. intermediate_recipe: that of intermediate stages, for arms that have one.
        evaluate: tasks to evaluate on; empty means `train`. They share its label space; a task of another domain
            measures domain shift.
        train_split, dev_split, test_split: splits of the target.
        intermediate_split, intermediate_dev_split: splits of the intermediate tasks.
        train_rows, intermediate_rows, dev_rows: maximum number of rows, chosen by a stable hash of the item id; None
            takes all.
        domain_text, general_text: tasks whose training texts `dapt` and its control are adapted to.
        adaptation: the language-model training of those arms.
        languages: evaluation languages; empty means the study's.
    """

    name: str
    train: str
    intermediate: tuple[str, ...] = ()
    recipe: Recipe = Recipe()
    intermediate_recipe: Recipe | None = None
    evaluate: tuple[str, ...] = ()
    train_split: str = "train"
    dev_split: str = "dev"
    test_split: str = "test"
    intermediate_split: str = "train"
    intermediate_dev_split: str = "dev"
    train_rows: int | None = None
    intermediate_rows: int | None = None
    dev_rows: int | None = None
    domain_text: tuple[str, ...] = ()
    general_text: tuple[str, ...] = ()
    adaptation: LanguageModel | None = None
    languages: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class StandIn:
    """A replacement for a catalogued task whose training rows are absent. Every table names it.

    Attributes:
        absent: the task to replace. task, train_split, dev_split: its replacement.
    """

    absent: str
    task: str
    train_split: str = "train"
    dev_split: str = "dev"


@dataclasses.dataclass(frozen=True)
class Perturbation:
    """An operator, with the severities and the number of replicates to evaluate.

    Attributes:
        name: an operator (`list perturbations`), or several joined by "+", applied in this order.
        severities: expected edits per grapheme cluster (character operators) or share of words edited (word operators).
        replicates: independent draws of the noise at each severity.
        lexicon: a word list for operators that read one (see `perturb.read_lexicon`). "{language}" in it is replaced by
            the language of the rows; a language without such a file is left out.
    """

    name: str
    severities: tuple[float, ...] = (0.1,)
    replicates: int = 1
    lexicon: str | None = None

    def lexicon_of(self, language: str) -> str | None:
        """The lexicon for a language."""
        return None if self.lexicon is None else self.lexicon.replace("{language}", language)


@dataclasses.dataclass(frozen=True)
class Adversary:
    """An attack under which every trained model is evaluated: a recipe, and its budget for a row.

    Attributes:
        name: as tables show it; a recipe (`list attacks`) unless `recipe` says otherwise.
        recipe: name of a recipe, or an `attack.Attack` of the study's own; None is the recipe called `name`.
        budget: maximum number of queries a row; None is the recipe's.
        rows: maximum number of rows a language, the same items in each; None attacks all evaluated rows.
        field: the field to edit; None is the last field that may be edited in the task.
        similarity: checkpoint directory of the encoder that compares texts with the clean one.
        least_similarity: minimum cosine under it; None only measures.
        edits, operators, severity, draws, lexicon, proposer, shift: settings of a recipe, like the options of `attack`;
            None (or no operators) is the recipe's.
    """

    name: str
    recipe: Any = None
    budget: int | None = None
    rows: int | None = None
    field: str | None = None
    edits: int | None = None
    operators: tuple[str, ...] = ()
    severity: float | None = None
    draws: int | None = None
    lexicon: str | None = None
    proposer: str | None = None
    shift: float | None = None
    similarity: str | None = None
    least_similarity: float | None = None


@dataclasses.dataclass(frozen=True)
class Stopping:
    """When `run --until-decided` looks at a study that grows by seeds, and stops.

    Attributes:
        looks: numbers of seeds after which the primary questions are looked at, increasing.
        anytime: use intervals that are valid at any time, for studies whose seeds are added by hand. They are wider
            than those for declared looks.
    """

    looks: tuple[int, ...] = (3, 5, 8, 12, 20)
    anytime: bool = False


@dataclasses.dataclass(frozen=True)
class Claim:
    """A statement, from the literature or the user's own, as a contrast with a verdict: `better` exceeds `worse`.

    The contrast is the difference between two arms or two encoders in one quantity, with equal weights of encoders,
    arms and targets. Claims are a family of their own (Holm).

    Attributes:
        name: as tables show it.
        sentence: what is claimed.
        source: where it was read (an arXiv id), or "question" for one of the study's own.
        better, worse: two arms, or two encoders.
        between: whether those are arms or encoders.
        quantity: "score"; "robustness" (perturbed score less clean score); or "transfer" (score in the domains that the
            target stage did not train on less the score in the one it did).
        targets: targets to average over; empty means all.
        each_target: judge each target separately instead.
        encoders: for a claim between arms, the encoders to average over; empty means all.
        arms: for a claim between encoders, the arms to average over; empty means all.
        language, domain: a language and a domain, or "all".
        perturbation: "clean", an operator, "all" operators, or the name of one of the study's attacks; "robustness"
            needs one of the latter three. "transfer" may not name an attack, whose texts are chosen against each model.
        bound: smallest effect of interest; None is the study's.
        published: the published scores of `better` and `worse`, in points, if there are any for the same tasks.
    """

    name: str
    sentence: str
    source: str
    better: str
    worse: str
    between: Literal["arms", "encoders"] = "arms"
    quantity: Literal["score", "robustness", "transfer"] = "score"
    targets: tuple[str, ...] = ()
    each_target: bool = False
    encoders: tuple[str, ...] = ()
    arms: tuple[str, ...] = ()
    language: str = "all"
    domain: str = "all"
    perturbation: str = "clean"
    bound: float | None = None
    published: tuple[float, ...] = ()


@dataclasses.dataclass(frozen=True)
class Study:
    """The axes of the grid, and the recipes.

    Attributes:
        name: name of the study; the default results folder is runs/NAME.
        encoders: the encoders to compare.
        targets: the target tasks, each with its recipes.
        seeds: training seeds; a seed fixes heads, order and dropout of every stage after pretraining.
        arms: names of arms (`list arms`), or the study's own (`itt_jax.study.arms.Arm`).
        perturbations: operators to evaluate, in addition to clean text.
        attacks: attacks to evaluate. Each chooses its texts against one model, so they are reported separately and are
            not part of averages over perturbations.
        description: a sentence for the report.
        active_targets: names of the targets to run; empty means all.
        tasks: the study's own tasks (`itt_jax.tasks.Task`), which precede the catalogue's.
        languages: evaluation languages; empty means every language of each task. A task is evaluated in those of them
            that it has; a target with none of them is an error.
        evaluation_rows: maximum number of rows a language, the same items in each; None takes all.
        max_length: maximum tokens of an evaluated example.
        noise_seed: seed of the perturbations, the same for all training seeds.
        smallest_effect: the smallest effect of interest in the primary family (0.02 is two points of accuracy).
        contamination: which training and dev rows are dropped because they are evaluated (see `data.contamination`):
            those whose whole input is, those with any field that is, or none. A task may have its own rule.
        allow_contaminated: evaluate on text that a given checkpoint was trained on (the report says so).
        precision: dtype of activations and matrix products in training and evaluation. With "bfloat16_products",
            activations are float32, and products with parameters round their factors to bfloat16, which processors with
            AMX multiply several times as fast. "auto" trains in bfloat16 on accelerators that have it and in float32
            elsewhere. It evaluates each encoder in the precision that is faster on the machine that makes its first
            cell. Other workers on the same results folder follow, and a folder with another precision is refused.
        remat: compute each layer again in the backward pass instead of keeping its results: less memory, a third more
            work. Changes results only by rounding, so a study may change it at any time.
        scan_layers: compile one layer and loop over all, which compiles encoders of many layers faster and runs slower
            (docs/accelerators.md). Changes results only by rounding, so a study may change it at any time.
        save_checkpoints: which stages keep their checkpoints once nothing needs them: "all", those that are evaluated
            ("target"), or "none". Encoders made here keep theirs. What was removed is made again when a later run
            needs it.
        stopping: when `run --until-decided` looks at the study.
        claims: statements to judge; declared before the first target stage, like the primary contrasts.
        stand_ins: replacements for absent training rows. Without one, a target whose training, intermediate or
            evaluation rows are absent is left out, and the plan says so.
    """

    name: str
    encoders: tuple[EncoderSpec, ...]
    targets: tuple[Target, ...]
    arms: tuple[str | Arm, ...] = ("direct", "itt", "matched_steps")
    perturbations: tuple[Perturbation, ...] = ()
    seeds: tuple[int, ...] = (0, 1, 2)
    description: str = ""
    active_targets: tuple[str, ...] = ()
    tasks: tuple[Task, ...] = ()
    languages: tuple[str, ...] = ()
    evaluation_rows: int | None = None
    max_length: int = 128
    noise_seed: int = 0
    smallest_effect: float = 0.02
    allow_contaminated: bool = False
    stand_ins: tuple[StandIn, ...] = ()
    contamination: Literal["whole_input", "any_field", "off"] = dataclasses.field(default="whole_input", metadata=LATER)
    precision: Precision = dataclasses.field(default="auto", metadata=LATER)
    save_checkpoints: Literal["all", "target", "none"] = dataclasses.field(default="all", metadata=LATER)
    remat: bool = dataclasses.field(default=False, metadata=LATER)
    scan_layers: bool = dataclasses.field(default=False, metadata=LATER)
    stopping: Stopping = dataclasses.field(default=Stopping(), metadata=LATER)
    claims: tuple[Claim, ...] = dataclasses.field(default=(), metadata=LATER)
    attacks: tuple[Adversary, ...] = dataclasses.field(default=(), metadata=LATER)

    def running_targets(self) -> tuple[Target, ...]:
        """The targets to run, in the study's order."""
        return tuple(t for t in self.targets if not self.active_targets or t.name in self.active_targets)
