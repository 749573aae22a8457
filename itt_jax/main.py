"""The command line: parse, call one library function, print."""

import argparse
import json
import pathlib
import sys
from collections.abc import Sequence

from itt_jax.errors import InputError

DEFAULT_OUT = "runs/{name}"


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with a command line in one line, as for any other wrong input."""

    def error(self, message: str):
        raise InputError(f"{message} (see {self.prog} --help)")


def parser() -> argparse.ArgumentParser:
    """The whole command line; nothing heavy is imported to build it."""
    top = _Parser(
        prog="python -m itt_jax.main",
        description="Does intermediate-task training make cross-lingual transfer robust? "
        "Without a command: the quickstart study, then its report.",
    )
    commands = top.add_subparsers(dest="command", metavar="COMMAND")

    def command(name: str, help: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=help, description=help)

    for name, text in (
        ("run", "Train and evaluate what is missing of a study, then write its report."),
        ("plan", "Show a study's stages, cells, what is done and the estimated cost; trains nothing."),
    ):
        sub = command(name, text)
        sub.add_argument("--config", help="a Python file that defines `study`; default: the quickstart")
        sub.add_argument("--set", action="append", default=[], metavar="PATH=VALUE", help="override a field")
        _data_root(sub)
        sub.add_argument("--out", type=pathlib.Path, help=f"results folder; default {DEFAULT_OUT.format(name='NAME')}")
        sub.add_argument("--json", action="store_true", help="print JSON")
        if name == "run":
            sub.add_argument(
                "--stack",
                type=int,
                metavar="N",
                help="fine-tunings trained together at most; default: what an accelerator's memory holds, 1 on a CPU",
            )
            sub.add_argument("--profile", action="store_true", help="write a trace of some steps to OUT/profile")
    sub = command("report", "Write tables, figures and report/index.html from a study's store.")
    sub.add_argument("--out", type=pathlib.Path, required=True, help="results folder of a run")
    sub = command("list", "List what is there by name.")
    sub.add_argument("kind", choices=("models", "tasks", "perturbations", "arms"))
    sub.add_argument("--json", action="store_true", help="print JSON")
    sub = command(
        "perturb", "Perturb lines of text: lines in, lines out; or write and read sheets for people to judge."
    )
    _perturb_options(sub)
    sub = command("evaluate", "Robustness report of a fine-tuned checkpoint (ours or Hugging Face's); trains nothing.")
    sub.add_argument("--checkpoint", type=pathlib.Path, required=True)
    sub.add_argument("--task", required=True)
    sub.add_argument(
        "--perturbations", nargs="+", metavar="NAME[:S,S...]", help="operators with severities, such as swap:0.1,0.2"
    )
    sub.add_argument("--lexicon", help="file of words, for operators that read one; may hold {language}")
    sub.add_argument("--languages", nargs="+", default=[], help="default: all of the task")
    sub.add_argument("--split", default="test")
    sub.add_argument("--rows", type=int, help="at most this many rows a language")
    sub.add_argument("--seed", type=int, default=0, help="of the noise")
    sub.add_argument("--max-length", type=int, default=128, help="tokens of an example")
    sub.add_argument("--allow-seen", action="store_true", help="evaluate on text that the checkpoint was trained on")
    _data_root(sub)
    sub.add_argument("--out", type=pathlib.Path, help="results folder; default runs/evaluate-TASK-CHECKPOINT")
    _score_options(command("score", "Score predictions in an official layout, or write a store's (or questions)."))
    _bench_options(command("bench", "Measured figures beside their peers, on this machine, in one run."))
    sub = command("convert", "Convert a Hugging Face checkpoint directory to ours.")
    sub.add_argument("source", type=pathlib.Path, metavar="HF_DIR")
    sub.add_argument("destination", type=pathlib.Path, metavar="OUT_DIR")
    sub = command("export", "Write one of our checkpoints as a Hugging Face directory.")
    sub.add_argument("source", type=pathlib.Path, metavar="CKPT")
    sub.add_argument("destination", type=pathlib.Path, metavar="OUT_DIR")
    return top


def _data_root(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--data-root", type=pathlib.Path, help="folder of data in its published formats; default: $ITT_JAX_DATA"
    )


def _perturb_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--name", help="an operator (see `list perturbations`), or several applied in order, such as a+b")
    sub.add_argument("--severity", type=float, help="from 0 to 1; of a sheet 0.2 by default")
    sub.add_argument("--language", help="ISO 639-1 code")
    sub.add_argument("--seed", type=int, help="of the noise; default 0")
    sub.add_argument("--lexicon", type=pathlib.Path, help="file of words, for operators that read one")
    sub.add_argument("--in", dest="source", type=pathlib.Path, help="default: standard input")
    sub.add_argument("--out", type=pathlib.Path, help="default: standard output")
    sub.add_argument(
        "--sheet", type=pathlib.Path, metavar="FILE", help="write perturbed rows of --task to judge, as CSV"
    )
    sub.add_argument("--task", help="task of the sheet")
    sub.add_argument("--names", nargs="+", help="operators of the sheet; default: all")
    sub.add_argument("--languages", nargs="+", help="languages of the sheet; default: all of the task")
    sub.add_argument("--split", help="split of the task for the sheet; default: test")
    sub.add_argument("--rows", type=int, help="rows of the sheet; default: 200")
    _data_root(sub)
    sub.add_argument("--read-sheet", type=pathlib.Path, metavar="FILE", help="count the verdicts of a judged sheet")
    sub.add_argument("--json", action="store_true", default=None, help="print the counts as JSON")


def _score_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--benchmark", required=True, help="xtreme, xtreme-r, lextreme or multichecklist")
    sub.add_argument("--predictions", type=pathlib.Path, help="folder of predictions")
    sub.add_argument("--labels", type=pathlib.Path, help="folder of labels; multichecklist: templates")
    sub.add_argument(
        "--tagging", help="rules of entity F1: seqeval, or seqeval-0.0.12 as the official figures (default)"
    )
    sub.add_argument("--languages", nargs="+", help="score these alone; default: all of each task, as the benchmark")
    sub.add_argument(
        "--write", type=pathlib.Path, metavar="DIR", help="multichecklist: its questions; with --store: its predictions"
    )
    sub.add_argument("--store", type=pathlib.Path, metavar="OUT", help="a results folder, whose predictions to write")
    for name, kind in SELECTED.items():
        sub.add_argument(f"--{name}", type=kind, help="of the store; where it holds several, one must be named")
    sub.add_argument("--json", action="store_true", help="print JSON")


def _bench_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("name", metavar="NAME", help="perturb, train, evaluate, stack, scale, start or utilisation")
    sub.add_argument("--repeats", type=int, help="each figure is the median of as many; default: the bench's own")
    sub.add_argument("--sentences", type=int, help="that perturb (20000) or evaluate (100) works on")
    sub.add_argument("--steps", type=int, help="in one measurement of training; default: by data")
    sub.add_argument("--encoders", nargs="+", default=[], help="of bert, roberta, xlnet; default: the bench's own")
    sub.add_argument("--sizes", nargs="+", default=[], help="of base, distil, tiny, toy; default: the bench's own")
    sub.add_argument("--data", nargs="+", default=[], help="of sst2, xnli, reviews; default: the bench's own")
    _data_root(sub)
    sub.add_argument("--json", action="store_true", help="print JSON")


# What chooses the predictions of a store; the text is clean by default.
SELECTED = {"model": str, "arm": str, "target": str, "seed": int}
SELECTED |= {"perturbation": str, "severity": float, "replicate": int}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    try:
        options = parser().parse_args(arguments)
        return COMMANDS[options.command](options)
    except InputError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # The reader of our output has gone (such as `head`); it has what it wants.
        sys.stdout = None
        return 0


def _study(options):
    from itt_jax import config

    path = options.config or pathlib.Path(__file__).parent.parent / "configs" / "quickstart.py"
    study = config.load(path, options.set)
    return study, options.out or pathlib.Path(DEFAULT_OUT.format(name=study.name))


def _root(options) -> pathlib.Path | None:
    from itt_jax.data.sources import data_root

    return data_root(options.data_root)


def _quickstart(options) -> int:
    return main(["run"])


def _run(options) -> int:
    from itt_jax.report import summary_markdown, write_report
    from itt_jax.study import run
    from itt_jax.study.statistics import analyse

    study, out = _study(options)
    if options.stack is not None and options.stack < 1:
        raise InputError(f"--stack: found {options.stack}, expected at least 1")
    results = run(study, out, _root(options), quiet=options.json, stack=options.stack, profile=options.profile)
    analysis = analyse(out)
    page = write_report(out, analysis)
    if options.json:
        print(json.dumps({"out": str(out), "report": str(page), "cells": results.cells, "made": results.made}))
    else:
        print(summary_markdown(analysis))
        print(f"\n{results.made} of {results.cells} cells were made in this run. Report: {page}")
    return 0


def _plan(options) -> int:
    from itt_jax.study import describe

    study, out = _study(options)
    description = describe(study, out, _root(options))
    print(json.dumps(description.as_dict(), indent=1) if options.json else description.text())
    return 0


def _report(options) -> int:
    from itt_jax.report import write_report

    print(write_report(options.out))
    return 0


def _list(options) -> int:
    from itt_jax.study.listing import listing, perturbation_lines

    rows = listing(options.kind)
    if options.json:
        print(json.dumps(rows, ensure_ascii=False, indent=1))
    elif options.kind == "perturbations":
        print("\n".join(perturbation_lines(rows)).rstrip())
    else:
        for row in rows:
            print(f"{row['name']:<24} {row['summary']}")
    return 0


# What `perturb` does by which option: those that must stand beside it, and those that may.
PERTURB_MODES = {
    "read_sheet": ((), ("json",)),
    "sheet": (("task",), ("names", "languages", "split", "rows", "severity", "seed", "lexicon", "data_root")),
    None: (("name", "severity", "language"), ("seed", "lexicon", "source", "out")),
}


def _perturb(options) -> int:
    given = {name: value for name, value in vars(options).items() if value is not None and name != "command"}
    mode = next((name for name in PERTURB_MODES if name in given), None)
    needed, allowed = PERTURB_MODES[mode]
    missing = [_flag(name) for name in needed if name not in given]
    if missing:
        raise InputError(f"the following arguments are required: {', '.join(missing)} (see perturb --help)")
    for name in given:
        if name not in (mode, *needed, *allowed):
            raise InputError(f"{_flag(name)} does not go with {_flag(mode) if mode else _flag('name')}")
    {"read_sheet": _read_sheet, "sheet": _write_sheet, None: _perturb_lines}[mode](**given)
    return 0


def _flag(name: str) -> str:
    return "--in" if name == "source" else f"--{name.replace('_', '-')}"


def _perturb_lines(source=None, out=None, **rest) -> None:
    from itt_jax.perturb.filter import perturb_lines

    perturb_lines(source, out, **rest)


def _write_sheet(sheet, task, data_root=None, **rest) -> None:
    from itt_jax.data.sources import data_root as root
    from itt_jax.study.sheet import task_sheet

    lines = task_sheet(sheet, task, data_root=root(data_root), **rest)
    operators, languages = ({getattr(line, name) for line in lines} for name in ("operator", "language"))
    print(f"{sheet}: {len(lines)} rows, {len(operators)} operators, {len(languages)} languages.")
    print("Fill in the column verdict: valid where the label still holds for the perturbed text, invalid where not.")


def _read_sheet(read_sheet, json=None) -> None:
    from itt_jax.perturb import sheet

    counts = sheet.verdict_counts(sheet.read_sheet(read_sheet))
    print(sheet.counts_json(counts) if json else "\n".join(sheet.count_lines(counts)))


def _evaluate(options) -> int:
    from itt_jax.report import summary_markdown, write_report
    from itt_jax.study.evaluation import Evaluation, evaluate_checkpoint, parse_perturbations
    from itt_jax.study.statistics import analyse

    out = options.out or pathlib.Path(f"runs/evaluate-{options.task}-{options.checkpoint.resolve().name}")
    evaluation = Evaluation(
        checkpoint=options.checkpoint,
        task=options.task,
        perturbations=parse_perturbations(options.perturbations, options.lexicon),
        languages=tuple(options.languages),
        split=options.split,
        rows=options.rows,
        noise_seed=options.seed,
        max_length=options.max_length,
        allow_seen=options.allow_seen,
    )
    evaluate_checkpoint(evaluation, out, _root(options))
    analysis = analyse(out)
    page = write_report(out, analysis)
    print(summary_markdown(analysis))
    print(f"\nReport: {page}")
    return 0


def _score(options) -> int:
    from itt_jax.score import score, write_questions

    given = {name for name, value in vars(options).items() if value is not None}
    needed = {"write"} if options.store else {"labels"}
    refused = {"predictions", "labels", "tagging", "languages"} if options.store else set(SELECTED)
    for name in sorted(needed - given):
        raise InputError(f"the following arguments are required: --{name} (see score --help)")
    for name in sorted(refused & given):
        raise InputError(f"--{name} {'does not go with' if options.store else 'goes with'} --store")
    if options.store:
        from itt_jax.study.official import write_official

        wanted = {name: getattr(options, name) for name in SELECTED}
        found = write_official(options.store, options.benchmark, options.write, wanted)
    elif options.write:
        paths = [str(path) for path in write_questions(options.benchmark, options.labels, options.write)]
        print(json.dumps(paths) if options.json else "\n".join(paths))
        return 0
    else:
        more = {"tagging": options.tagging} if options.tagging else {}
        found = score(options.benchmark, options.predictions, options.labels, languages=options.languages or (), **more)
    print(json.dumps(found.as_dict(), ensure_ascii=False, indent=1) if options.json else found.text())
    return 0


def _bench(options) -> int:
    from itt_jax import bench

    for name in ("repeats", "sentences", "steps"):
        if getattr(options, name) is not None and getattr(options, name) < 1:
            raise InputError(f"--{name}: found {getattr(options, name)}, expected at least 1")
    request = bench.Request(
        data_root=_root(options),
        repeats=options.repeats,
        sentences=options.sentences,
        encoders=tuple(options.encoders),
        data=tuple(options.data),
        sizes=tuple(options.sizes),
        steps=options.steps,
    )
    figures, text = bench.run(options.name, request)
    print(json.dumps(figures, ensure_ascii=False, indent=1) if options.json else text)
    return 0


def _convert(options) -> int:
    from itt_jax.train.checkpoint import convert

    convert(options.source, options.destination)
    print(options.destination)
    return 0


def _export(options) -> int:
    from itt_jax.train.checkpoint import export_checkpoint

    export_checkpoint(options.source, options.destination)
    print(options.destination)
    return 0


COMMANDS = {
    None: _quickstart,
    "run": _run,
    "plan": _plan,
    "report": _report,
    "list": _list,
    "perturb": _perturb,
    "evaluate": _evaluate,
    "score": _score,
    "bench": _bench,
    "convert": _convert,
    "export": _export,
}


def run_and_exit() -> None:
    """Entry point of the installed command."""
    sys.exit(main())


if __name__ == "__main__":
    run_and_exit()
