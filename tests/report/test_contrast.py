"""One contrast: the figures of the tables, in the words and formats that people paste."""

import pytest

from itt_jax import main
from itt_jax.analysis import analyse
from itt_jax.errors import InputError
from itt_jax.report import contrast, tables
from tests.simulated_store import write_store


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return write_store(tmp_path_factory.mktemp("store"), models=("bert", "xlnet"), items=40, languages=("en", "de"))


@pytest.fixture(scope="module")
def analysis(out):
    return analyse(out)


@pytest.mark.parametrize("language", ["all", "de"])
@pytest.mark.parametrize("perturbation", ["all", "keyboard"])
def test_the_figures_are_those_of_the_tables(analysis, language, perturbation):
    table = contrast.contrast(analysis, ("itt", "matched_steps"), language, perturbation)
    assert list(table["encoder"]) == ["bert", "xlnet"]
    where = f"arm == 'itt' and baseline == 'matched_steps' and language == '{language}' and domain == 'all'"
    for column, frame, noise in (
        ("clean gain", analysis.gains, "clean"),
        ("perturbed gain", analysis.gains, perturbation),
        ("interaction", analysis.interactions.query("kind == 'perturbation' and subset == 'all'"), perturbation),
    ):
        rows = frame.query(f"{where} and perturbation == '{noise}' and (severity.isna() or severity == 0)")
        assert list(table[column]) == list(tables.with_interval(rows, signed=True))


@pytest.mark.slow
def test_it_is_printed_as_a_line_as_markdown_and_as_latex(out, analysis, capsys):
    ask = ["report", "--out", str(out), "--contrast", "itt-matched_steps", "--language", "de"]
    printed = {}
    for form in contrast.FORMATS:
        assert main.main([*ask, "--perturbation", "keyboard", "--format", form]) == 0
        printed[form] = capsys.readouterr().out
    row = contrast.contrast(analysis, ("itt", "matched_steps"), "de", "keyboard").iloc[0]
    assert printed["line"].startswith(
        f"bert, sentiment (accuracy), itt against matched_steps, de: gain {row['clean gain']} on clean text, "
        f"{row['perturbed gain']} under keyboard; interaction {row['interaction']}, "
    )
    assert printed["markdown"].count("|\n") == 4 and row["interaction"] in printed["markdown"]
    assert "matched\\_steps & " in printed["latex"] and printed["latex"].endswith("\\end{tabular}\n")
    assert not (out / "report").exists()


@pytest.mark.slow
@pytest.mark.volume
def test_one_language_is_found_under_its_name(tmp_path):
    analysis = analyse(write_store(tmp_path, languages=("en",), base=2.0))
    everything, named = (contrast.contrast(analysis, ("itt", "direct"), name) for name in ("all", "en"))
    assert everything.equals(named) and (everything["interaction"] != "–").all()


@pytest.mark.parametrize(
    "pair, where, message",
    [
        ("itt-matched", {}, "unknown contrast in --contrast: 'itt-matched'; did you mean 'itt-matched_steps'"),
        ("itt-direct", {"language": "fr"}, "unknown language in --language: 'fr'; known: de, en"),
        ("itt-direct", {"perturbation": "typo"}, "unknown operator in --perturbation: 'typo'"),
    ],
)
def test_what_is_not_there_is_named(analysis, pair, where, message):
    with pytest.raises(InputError) as error:
        contrast.contrast(analysis, contrast.parse_pair(pair, [arm.name for arm in analysis.arms]), **where)
    assert str(error.value).startswith(message)


def test_scores_by_operator_and_language_are_those_of_the_curves(analysis):
    (encoder, arms, table), _ = tables.scores.scores(analysis, "sentiment")
    assert encoder == "bert (accuracy)" and arms == ["direct", "matched_steps", "itt"]
    assert list(table.columns) == ["operator", "en", "de", "mean"]
    assert list(table["operator"]) == ["clean", "swap", "keyboard", "all"]
    curves = analysis.curves.query(
        "model == 'bert' and domain == 'general' and perturbation == 'swap' and language == 'de'"
    )
    means = curves[curves["severity"].isna()].set_index("arm")["estimate"]
    assert table.loc[1, "de"] == " / ".join(tables.points(means[arm]) for arm in arms)


def test_a_contrast_without_signal_says_so(tmp_path):
    analysis = analyse(write_store(tmp_path, languages=("en", "de"), items=8, base=-1.0, dev=8))
    row = contrast.contrast(analysis, ("itt", "direct")).iloc[0]
    assert (row["interaction"], row["verdict"]) == ("–", "no signal")
    assert row["clean gain"].endswith("] no signal") and row["perturbed gain"].endswith("] no signal")


def test_a_folder_of_one_arm_has_no_contrasts(tmp_path):
    analysis = analyse(write_store(tmp_path, arms=("direct",), languages=("en",), items=20))
    with pytest.raises(InputError, match="--contrast itt-direct: the folder has no contrasts: it holds one arm"):
        contrast.parse_pair("itt-direct", [arm.name for arm in analysis.arms])


@pytest.mark.parametrize("option", ["language", "perturbation", "format"])
def test_options_of_a_contrast_go_with_one(out, capsys, option):
    assert main.main(["report", "--out", str(out), f"--{option}", "markdown"]) == 2
    assert capsys.readouterr().err == f"error: --{option} goes with --contrast\n"
    assert not (out / "report").exists()
