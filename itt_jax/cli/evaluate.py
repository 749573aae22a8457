"""`evaluate`: the robustness report of one checkpoint."""

import argparse
import pathlib

from itt_jax.cli.options import add_data_root, add_precision, data_root

SUMMARY = "Write the robustness report of a checkpoint, ours or Hugging Face's; trains nothing."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--checkpoint", type=pathlib.Path, required=True, help="a checkpoint, or OUT/stages/ID")
    parser.add_argument("--task", required=True)
    parser.add_argument(
        "--perturbations",
        nargs="+",
        metavar="NAME[:S,S...]",
        help="operators with severities, such as swap:0.1,0.2; none; all; default: a dozen, at 0.1 and 0.2",
    )
    parser.add_argument("--lexicon", help="word list, for operators that read one; may contain {language}")
    parser.add_argument("--languages", nargs="+", default=[], help="default: all of the task")
    parser.add_argument("--split", default="test")
    parser.add_argument("--rows", type=int, help="maximum number of rows a language")
    parser.add_argument("--seed", type=int, default=0, help="noise seed")
    parser.add_argument(
        "--max-length",
        type=int,
        help="maximum tokens of an example; default: the model's own, else 128, or fewer positions",
    )
    parser.add_argument(
        "--allow-contaminated", action="store_true", help="evaluate text that the checkpoint was trained on"
    )
    parser.add_argument(
        "--labels",
        metavar="A=B,...",
        help="which output is which label, where the checkpoint's names do not say so: its name or number = the label",
    )
    add_precision(parser)
    parser.add_argument("--metric", help="in place of the task's own, such as spearman")
    parser.add_argument(
        "--pooling",
        metavar="mean|cls|layer:K",
        help="how an encoder without a head gives vectors; default: as its modules.json says, else as in XTREME",
    )
    parser.add_argument("--prefix", help="precedes every text of such an encoder, as 'query: '; never perturbed")
    add_data_root(parser)
    parser.add_argument("--out", type=pathlib.Path, help="results folder; default: runs/evaluate-TASK-CHECKPOINT")


def run(options: argparse.Namespace) -> int:
    """Evaluate the checkpoint; print the summary of its report."""
    from itt_jax.analysis import analyse
    from itt_jax.models import checkpoint_name
    from itt_jax.report import summary_markdown, write_report
    from itt_jax.store import Store
    from itt_jax.study.evaluation import Evaluation, evaluate_checkpoint
    from itt_jax.study.perturbations import parse_perturbations
    from itt_jax.study.progress import Progress

    out = options.out or pathlib.Path(f"runs/evaluate-{options.task}-{checkpoint_name(options.checkpoint)}")
    evaluation = Evaluation(
        checkpoint=options.checkpoint,
        task=options.task,
        perturbations=parse_perturbations(options.perturbations, options.lexicon),
        languages=tuple(options.languages),
        split=options.split,
        rows=options.rows,
        noise_seed=options.seed,
        max_length=options.max_length,
        allow_contaminated=options.allow_contaminated,
        labels=options.labels,
        precision=options.precision or "auto",
        pooling=options.pooling,
        prefix=options.prefix,
        metric=options.metric,
    )
    evaluate_checkpoint(evaluation, out, data_root(options))
    with Progress() as progress:
        progress.at("report", "analysing, tables and figures")
        analysis = analyse(out)
        page = write_report(out, analysis)
    print(f"{Store(out).plan()['description']}\n")
    print(summary_markdown(analysis))
    print(f"\nReport: {page}")
    return 0
