"""The command line: wrong input is one line and exit code 2; the filter and the listings do their job."""

import json
import subprocess
import sys
import time

import pytest

from itt_jax import main
from itt_jax.errors import SharingError, StageError


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    code = main.main(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rnu"], "invalid choice: 'rnu'"),
        (["list", "modles"], "invalid choice: 'modles'"),
        (
            ["run", "--config", "nowhere.py"],
            "nowhere.py: no such file; studies that ship: domain_shift, protocol_a, quickstart, real_attacks, real_",
        ),
        (
            ["run", "--config", "real_smal"],
            "no such file; did you mean 'real_small'? studies that ship: dom",
        ),
        (["run", "--set", "seedz=1"], "did you mean 'seeds'"),
        (["run", "--set", "perturbations.swap.name=swop"], "did you mean 'swap'"),
        (["run", "--set", "targets.sentiment.train=embedded_sentiment_lgal"], "did you mean 'embedded_sentiment"),
        (["run", "--set", "targets.sentiment.evaluate=agnews"], "cannot be evaluated with a head trained on"),
        (["run", "--set", "languages=['ja']"], "has none of ja"),
        (["plan", "--data-root", "nowhere"], "nowhere"),
        (["report", "--out", "nowhere"], "nowhere"),
        (["merge", "nowhere", "--out", "there"], "nowhere: no such folder; expected results folders of one study"),
        (["perturb", "--name", "swop", "--severity", "0.1", "--language", "en"], "did you mean 'swap'"),
        (["perturb", "--name", "swap", "--severity", "2", "--language", "en"], "expected a number from 0 to 1"),
        (["perturb", "--name", "swap", "--severity", "0_1", "--language", "en"], "expected a number, found"),
        (["evaluate", "--checkpoint", "nowhere", "--task", "embedded_sentiment_legal"], "no such directory"),
        (["evaluate", "--checkpoint", ".", "--task", "xnly"], "did you mean 'xnli'"),
        (["evaluate", "--checkpoint", ".", "--task", "xnli", "--perturbations", "swap:high"], "NAME:SEVERITY"),
        (["convert", "nowhere", "there"], "nowhere"),
        (["export", "nowhere", "there"], "nowhere"),
        (["run", "--out", f"{__file__}/out"], "test_main.py is a file, expected a folder"),
        (["plan", "--out", f"{__file__}/out"], "test_main.py is a file, expected a folder"),
        (["run", "--share", ""], "--share: expected a URL or a path"),
        (["run", "--share", "nothing://bucket/x"], "--share nothing://bucket/x: "),
        (["run", "--share", f"{__file__}/shared"], "Not a directory"),
        (["export", "there"], "expected CKPT OUT_DIR"),
        (["export", "--arm", "itt", "there"], "expected --out as well"),
        (["export", "--out", "nowhere", "--arm", "itt", "here", "there"], "expected OUT_DIR alone"),
        (["export", "--out", "nowhere", "--arm", "itt", "there"], "has no target stage"),
    ],
)
def test_wrong_input_is_one_line_and_code_2(capsys, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ITT_JAX_DATA", raising=False)
    monkeypatch.setattr("itt_jax.study.progress.SAY_SECONDS", 3600)  # a slow machine shows progress before the error
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ") and err.count("\n") == 1
    assert message in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (SharingError("s3://bucket/x: NoConnection:\nno route"), "s3://bucket/x: NoConnection: no route"),
        (StageError("1 stage failed, and the rest is done"), "1 stage failed, and the rest is done"),
    ],
)
def test_what_fails_while_a_study_runs_is_one_line_and_code_1(capsys, monkeypatch, error, said):
    def failing(*arguments, **settings):
        raise error

    monkeypatch.setattr("itt_jax.study.run", failing)
    code, out, err = run(capsys, "run", "--share", "s3://bucket/x")
    assert (code, out) == (1, "")
    assert err == (
        f"error: {said}. Finished work is kept; to continue: python -m itt_jax.main run --share s3://bucket/x\n"
    )


def test_help_answers_at_once_and_imports_nothing_heavy():
    code = (
        "import sys, itt_jax.main as m; m.parser().format_help();"
        "print([name for name in ('jax', 'numpy', 'pydantic') if name in sys.modules])"
    )
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert time.perf_counter() - began < 5  # a second on a quiet machine


def test_perturb_is_a_filter(capsys, tmp_path):
    source, out = tmp_path / "in.txt", tmp_path / "out.txt"
    source.write_text("The patient slept well.\nПациент спал хорошо.\n", encoding="utf-8")
    arguments = ["perturb", "--name", "swap", "--language", "en", "--in", str(source), "--out", str(out)]
    assert run(capsys, *arguments, "--severity", "0")[0] == 0
    assert out.read_bytes() == source.read_bytes()
    assert run(capsys, *arguments, "--severity", "0.5")[0] == 0
    lines = out.read_text(encoding="utf-8").splitlines()
    assert [sorted(line) for line in lines] == [sorted(line) for line in source.read_text("utf-8").splitlines()]
    assert lines != source.read_text("utf-8").splitlines()


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("models", "xlnet"),
        ("tasks", "xnli"),
        ("kinds", "regression"),
        ("metrics", "macro_f1"),
        ("perturbations", "homoglyph"),
        ("arms", "shuffled_itt"),
    ],
)
def test_list_names_what_there_is(capsys, kind, name):
    code, out, _ = run(capsys, "list", kind, "--json")
    rows = json.loads(out)
    assert code == 0 and name in [row["name"] for row in rows] and all(row["summary"] for row in rows)
    assert name in run(capsys, "list", kind)[1]


@pytest.mark.parametrize(
    "arguments",
    [
        ("evaluate", "--task", "xnli", "--checkpoint", ""),
        ("report", "--out", ""),
        ("plan", "--data-root", ""),
        ("convert", "", "out"),
    ],
)
def test_an_empty_path_is_not_the_current_folder(capsys, arguments):
    code, out, err = run(capsys, *arguments)
    name = arguments[-2] if arguments[-1] == "" else "HF_DIR"
    assert (code, out) == (2, "") and err.startswith(f"error: argument {name}: expected a path, found ''")
