"""Real pretrained encoders under attack: what each recipe takes from them, and what hardened fine-tuning keeps.

    python -m itt_jax.main run --config configs/real_attacks.py --data-root DIR --out results/real_attacks/english \\
        --set checkpoints=CHECKPOINTS --set synonyms=DIR/robustness/synonyms/ppdb_synonyms.txt
    python -m itt_jax.main run --config configs/real_attacks.py --data-root DIR --out results/real_attacks/languages \\
        --set checkpoints=CHECKPOINTS --set part=languages --set rows=12

CHECKPOINTS (./checkpoints by default) holds the two directories of `configs/real_pretrained.py`. Two parts, each with a
results folder of its own:

- `--set part=english` (the default): MiniLM, all of its 6 layers, fine-tuned on SST-2 in 80 steps of 32 phrases; plain
  and in three hardened ways; nine recipes, and baselines that draw their edits. Rows are of GLUE's dev set, which is
  the test split here; the kept step is chosen on dev rows carved from the training set.
- `--set part=languages`: multilingual-e5-small, all of its 12 layers, fine-tuned on English XNLI (70 % of its dev set)
  in 80 steps, attacked in five languages with three recipes and the baseline. The hypothesis is edited.

A baseline has the candidates and constraints of its recipe, and asks as often as the recipe may, 60 times, but learns
nothing from the answers: it keeps the best of drawn texts. `random` is the baseline of DeepWordBug, with up to five
edited words; Pruthi's edits one word, TextBugger's and TextFooler's up to five. Recipes with other candidates are
compared with `random`. Charmer alone has another budget, since its probes are twice as many as the characters of a
text: one edit, at its 4 most sensitive places, in at most 400 queries on fewer rows. (The worst of draws has 32 of
them.) `textfooler` reads the synonyms of `--set synonyms`, or else the built-in ones, which are few.

Cost: English took 75 minutes and five languages 31, as two workers with a core each. `plan` states more: before
anything is made, it counts attacks as if no row ended early. Matched-compute controls (`worst_of_4_compute`,
`freelb_compute`) would be 12 more models.

What to expect (docs/attacks.md): every recipe lowers accuracy, in English most of them more than drawn edits; no effect
of hardening can be told from nothing, and the worst of four forms learns SST-2 in two of six seeds. On dev rows of
XNLI, six layers of e5 with one or two seeds reached .33 to .60 at rates of 1e-4, 3e-4 and 5e-4, and all 12 layers .47
at 1e-4 and .56 at 2e-4, hence these. What it cannot show: whether changed texts keep their meaning, which people must
judge; robustness to an adversary with more queries; and differences by pretraining, since all seeds share one encoder.
"""

import dataclasses

from itt_jax import attack
from itt_jax.attack.search.charmer import Charmer
from itt_jax.attack.search.draws import RandomWords
from itt_jax.config import Adversary, EncoderSpec, Perturbation, Recipe, Study, Target
from itt_jax.errors import unknown

BUDGET = 60
"""Queries a row, the baseline's included."""
CHARMER = dataclasses.replace(attack.get("charmer"), search=Charmer(places=4, edits=1))
FINE_TUNING = Recipe(
    steps=80, learning_rates=(1e-4,), embedding_learning_rate=0.0, max_length=96, evaluate_every=40, keep="best"
)
FASTER = dataclasses.replace(FINE_TUNING, learning_rates=(2e-4,))


def under(*names: str, rows: int) -> tuple[Adversary, ...]:
    """Recipes within the common budget."""
    return tuple(Adversary(name, budget=BUDGET, rows=rows) for name in names)


def drawn(name: str, rows: int, words: int = 5, lexicon: str | None = None) -> Adversary:
    """The baseline of a recipe: its candidates and constraints, in up to `words` drawn words."""
    recipe = dataclasses.replace(attack.get(name), search=RandomWords(words=words))
    return Adversary(f"{name}, drawn", recipe=recipe, lexicon=lexicon, budget=BUDGET, rows=rows)


def english(checkpoints: str, rows: int, synonyms: str) -> dict:
    """The fields of the study in English."""
    return {
        "description": "MiniLM on SST-2, plain and hardened, under attack.",
        "encoders": (EncoderSpec("minilm", "bert", checkpoint=f"{checkpoints}/minilm", pooling="mean"),),
        "targets": (Target("sentiment", train="sst2", dev_rows=200, recipe=FINE_TUNING),),
        "arms": ("direct", "augmented", "worst_of_4", "freelb"),
        "attacks": (
            Adversary("charmer, one edit", recipe=CHARMER, budget=400, rows=max(1, rows * 8 // 20)),
            *under("deepwordbug", "pruthi", "textbugger", rows=rows),
            Adversary("textfooler", lexicon=synonyms or None, budget=BUDGET, rows=rows),
            drawn("pruthi", rows, words=1),
            drawn("textbugger", rows),
            drawn("textfooler", rows, lexicon=synonyms or None),
            *under("bad_characters", "hotflip", "greedy_operators", "worst_of", "random", rows=rows),
        ),
        "languages": ("en",),
        "seeds": (0, 1, 2, 3, 4, 5),
    }


def languages(checkpoints: str, rows: int, synonyms: str) -> dict:
    """The fields of the study in five languages."""
    train = {"train_split": "dev[0%:70%]", "dev_split": "dev[70%:]", "dev_rows": 200}
    return {
        "description": "multilingual-e5-small on XNLI, under attack in five languages.",
        "encoders": (EncoderSpec("e5", "bert", checkpoint=f"{checkpoints}/e5", pooling="mean"),),
        "targets": (Target("inference", train="xnli", recipe=FASTER, **train),),
        "arms": ("direct",),
        "attacks": under("deepwordbug", "textbugger", "bad_characters", "random", rows=rows),
        "languages": ("en", "ar", "de", "es", "hi"),
        "seeds": (0, 1, 2, 3),
    }


PARTS = {"english": english, "languages": languages}


def study(part: str = "english", checkpoints: str = "./checkpoints", rows: int = 20, synonyms: str = "") -> Study:
    """The study.

    Args:
        part: one of PARTS.
        checkpoints: the folder that holds `e5` and `minilm`.
        rows: attacked rows a language.
        synonyms: path of a lexicon of English synonyms; empty takes the built-in one.
    """
    if part not in PARTS:
        raise unknown("part in --set part:", part, PARTS)
    return Study(
        name=f"real_attacks_{part}",
        perturbations=(Perturbation("keyboard", (0.1,)), Perturbation("homoglyph", (0.1,))),
        evaluation_rows=100,
        max_length=96,
        save_checkpoints="none",
        **PARTS[part](checkpoints, rows, synonyms),
    )
