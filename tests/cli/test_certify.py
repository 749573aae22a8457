"""`certify`: figures of a checkpoint beside an attack, continued where it stopped, and wrong input in one line."""

import json

import pandas as pd
import pytest

from itt_jax import main, tasks
from itt_jax.store.objects import read_object, write_object
from itt_jax.study import certifying
from tests.system.runs import untrained

TASK = tasks.get("embedded_sentiment_legal")
ROWS = 6


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """An untrained encoder with a head for the task."""
    return untrained(tmp_path_factory.mktemp("checkpoint") / "untrained", TASK)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(certifying, "PART", 4)
    monkeypatch.setattr("itt_jax.study.progress.SAY_SECONDS", 3600)


def call(command, checkpoint, out, *more) -> int:
    about = ["--checkpoint", checkpoint, "--task", TASK.name, "--out", out, "--max-length", 32, "--rows", ROWS]
    return main.main([command, *map(str, [*about, "--languages", "de", *more])])


def certify(checkpoint, out, *more) -> int:
    return call("certify", checkpoint, out, "--selection", 20, "--estimation", 80, "--rate", 0.6, *more)


@pytest.mark.slow
def test_certified_accuracy_beside_accuracy_under_attack(checkpoint, tmp_path, monkeypatch, capsys):
    assert call("attack", checkpoint, tmp_path / "attack", "--budget", 40) == 0
    capsys.readouterr()
    attack = ("--attack", tmp_path / "attack/results.csv")
    assert certify(checkpoint, tmp_path / "whole", *attack, "--json") == 0
    (figures,) = json.loads(capsys.readouterr().out)
    assert figures["rows"] == ROWS and figures["samples"] == 100 and figures["unit"] == "character"
    shares = [share for _, share, _ in figures["certified"]]
    assert shares == sorted(shares, reverse=True) and [r for r, _ in figures["under_attack"]] == list(
        range(len(shares))
    )
    frame = pd.read_csv(tmp_path / "whole/results.csv")
    assert len(frame) == ROWS and shares[0] == ((frame.radius >= 0) & frame.right).mean()
    assert (frame["count"] <= 80).all() and (frame.lower < frame["count"] / 80 + 1e-12).all()
    # the page has both, and is the same when it is made again
    page = tmp_path / "whole/report/index.html"
    made = page.read_bytes()
    assert "under attack %" in made.decode() and main.main(["report", "--out", str(tmp_path / "whole")]) == 0
    assert page.read_bytes() == made
    # work that stopped continues with the same bytes
    done, write = [], certifying.PartsFolder.write_part

    def stop_after_one(self, language, number, rows):
        write(self, language, number, rows)
        done.append(number)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(certifying.PartsFolder, "write_part", stop_after_one)
        assert certify(checkpoint, tmp_path / "stopped") == 130
    assert done == [0] and certify(checkpoint, tmp_path / "stopped", *attack) == 0
    for name in ("results.csv", "summary.json", "rows/de-0000.jsonl", "rows/de-0001.jsonl"):
        assert (tmp_path / "stopped" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    capsys.readouterr()
    # an attack on another checkpoint is not set beside
    about = read_object(tmp_path / "attack/attack.json", {})
    write_object(tmp_path / "attack/attack.json", about | {"checkpoint": "of another"})
    assert certify(checkpoint, tmp_path / "other", *attack) == 2 and not (tmp_path / "other").exists()
    error = capsys.readouterr().err
    assert "--attack: it was on another checkpoint than untrained" in error and error.count("\n") == 1
    # the folder holds this request alone
    assert certify(checkpoint, tmp_path / "whole", "--seed", 1) == 2
    assert "holds another certificate (seed differs)" in capsys.readouterr().err
    assert call("attack", checkpoint, tmp_path / "whole") == 2
    assert "holds files, but no attack" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--rate", "1"], "--rate: found 1.0, expected a probability between 0 and 1"),
        (["--unit", "letter"], "unknown --unit 'letter'; known: character, word"),
        (["--alpha", "0"], "--alpha: found 0.0, expected a probability between 0 and 0.5"),
        (["--estimation", "0"], "--estimation: found 0, expected at least 1 sample"),
        (["--attack", "absent.csv"], "absent.csv: No such file"),
        (
            ["--task", "embedded_similarity_general"],
            "kind 'regression': scores of samples have no majority; expected classif",
        ),
    ],
)
def test_wrong_input_is_one_line(checkpoint, tmp_path, capsys, more, says):
    assert certify(checkpoint, tmp_path / "out", *more) == 2
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 1 and not (tmp_path / "out").exists()
