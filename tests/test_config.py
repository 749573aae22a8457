"""Config: overrides reach every field, wrong values are named, ids depend on content alone."""

import dataclasses
import pathlib
import re

import pytest

from itt_jax import config, main
from itt_jax.config import Corpus, EncoderSpec, Recipe, Study, Target, content_id, loading
from itt_jax.errors import InputError
from itt_jax.study import quickstart

CONFIGS = pathlib.Path(__file__).parents[1] / "configs"


def small_study() -> Study:
    return Study(
        name="s",
        encoders=(EncoderSpec("bert", "bert", corpus=(Corpus("embedded"),)),),
        targets=(
            Target("t", train="sst2", intermediate=("imdb",), recipe=Recipe(), intermediate_recipe=Recipe(steps=5)),
        ),
    )


def test_studies_that_ship_are_in_the_package_or_beside_it_in_a_checkout(tmp_path, monkeypatch):
    package = tmp_path / "site-packages" / "itt_jax"
    monkeypatch.setattr(loading, "__file__", str(package / "config" / "loading.py"))
    for folder, name in ((package.parent, "beside"), (package, "inside")):
        (folder / "configs").mkdir(parents=True)
        (folder / "configs" / f"{name}.py").touch()
        (package.parent / "pyproject.toml").touch()  # wheels of others leave one there
        assert list(loading.shipped()) == [name]


@pytest.mark.parametrize(
    ("override", "read", "expected"),
    [
        ("seeds=[3,4]", lambda s: s.seeds, (3, 4)),
        ("seeds=7", lambda s: s.seeds, (7,)),
        ("encoders.bert.layers=5", lambda s: s.encoders[0].layers, 5),
        ("encoders.0.pooling=mean", lambda s: s.encoders[0].pooling, "mean"),
        ("targets.t.recipe.learning_rates=[1e-3,2e-3]", lambda s: s.targets[0].recipe.learning_rates, (1e-3, 2e-3)),
        ("evaluation_rows=None", lambda s: s.evaluation_rows, None),
    ],
)
def test_override_reaches_field(override, read, expected):
    assert read(config.override_field(small_study(), override)) == expected


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed=1", "did you mean 'seeds'"),
        ("targets.t.recipe.beta1=1.5", "beta1: expected in"),
        ("targets.t.recipe.clip_norm=0", "clip_norm: expected more than 0"),
        ("targets.t.recipe.weight_decay=-1", "weight_decay: expected at least 0"),
        ("targets.t.recipe.evaluate_every=-1", "evaluate_every: expected at least 0"),
        ("targets.t.recipe.max_length=1", "max_length: expected at least 8"),
        ("encoders.bort.layers=1", "did you mean 'bert'"),
        ("encoders.bert.layers=many", "found 'many'"),
        ("arms=['direkt']", "unknown arm in study.arms: 'direkt'; did you mean 'direct'"),
        ("encoders.bert.family=brt", "did you mean 'bert'"),
        ("seeds", "expected PATH=VALUE"),
        ("name.x=1", "plain value"),
        ("targets.t.recipe.batch_size=0", "expected at least 1, found 0"),
        ("targets.t.recipe.accumulate=3", "expected a divisor of batch_size=32"),
        ("active_targets=tt", "did you mean 't'"),
        ("encoders.bert.heads=3", "expected a divisor of width=64"),
        ("encoders.bert.pair_features=True", "needs pooling"),
        ("encoders.bert.attention_dropout=1.0", "found 1.0"),
        ("encoders.bert.first_layers=2", "first_layers: applies only to a checkpoint"),
        ("seeds=(True,)", "--set seeds[0]: Input should be a valid integer, found True"),
        ("seeds=(1.0,)", "--set seeds[0]: Input should be a valid integer, found 1.0"),
        ("seeds=(0,-1)", "study.seeds: expected at least 0, found (0, -1)"),
        ("encoders.bert.seed=-1", "bert.seed: expected at least 0, found -1"),
        ("encoders.bert.layers=True", "found True"),
        ("encoders.bert.layers='4'", "found '4'"),
        ("targets.t.recipe.epochs=True", "found True"),
        ("targets.t.recipe.dropout=1", "found 1"),
        ("evaluation_rows=0", "evaluation_rows: expected at least 1, found 0"),
        ("max_length=7", "study.max_length: expected at least 8 tokens, found 7"),
    ],
)
def test_wrong_override_is_named(override, message):
    with pytest.raises(InputError, match=re.escape(message)):
        config.validate(config.override_field(small_study(), override))


def test_an_operator_is_listed_once_at_a_severity():
    """Two lexicons for one operator and severity would be two results of one name."""
    noises = (config.Perturbation("code_mix", (0.1, 0.2), lexicon="a.tsv"),)
    config.validate(dataclasses.replace(small_study(), perturbations=noises))
    noises += (config.Perturbation("code_mix", (0.2,), lexicon="b.tsv"),)
    with pytest.raises(InputError, match=r"an operator is listed twice at one severity, \('code_mix', 0.2\)"):
        config.validate(dataclasses.replace(small_study(), perturbations=noises))


@pytest.mark.parametrize("seeds", [(True,), (0, "1"), (1.5,)])
def test_values_of_a_file_are_not_converted(seeds):
    with pytest.raises(InputError, match=r"study\.seeds\[.\]: Input should be a valid integer, found "):
        config.validate(dataclasses.replace(small_study(), seeds=seeds))


@pytest.mark.parametrize("severities", [(0.0,), (0, 0.1, 1.0), (-0.1,), (0.1, 1.5), (float("nan"),)])
def test_severities_are_shares(severities):
    study = dataclasses.replace(small_study(), perturbations=(config.Perturbation("swap", severities),))
    if all(0 <= severity <= 1 for severity in severities):
        config.validate(study)
    else:
        with pytest.raises(InputError, match=r"perturbations\.swap\.severities: expected numbers from 0 to 1"):
            config.validate(study)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no such file"),
        ("x = 1", "expected a variable 'study'"),
        ("study = (", "line 1: SyntaxError"),
        ("import itt_jax.config as c\nstudy = c.Study(nme='x')", "line 2: TypeError"),
    ],
)
def test_wrong_file_is_named(tmp_path, text, message):
    path = tmp_path / "study.py"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=message):
        config.load(path)


def test_id_depends_on_content_alone():
    study = small_study()
    assert content_id(study) == content_id(small_study())
    assert content_id(study) != content_id(dataclasses.replace(study, noise_seed=1))
    assert content_id({"a": 1, "b": 2}) == content_id({"b": 2, "a": 1})


def test_a_field_added_later_is_in_ids_only_where_it_is_set():
    spec = EncoderSpec("bert", "bert")
    assert content_id(spec) == "291777de37db6d44"  # as it was before attention_dropout
    assert content_id(dataclasses.replace(spec, attention_dropout=0.0)) != content_id(spec)


def test_a_study_may_be_a_function_of_arguments(tmp_path):
    path = tmp_path / "study.py"
    path.write_text(
        "from tests.test_config import small_study\n"
        "import dataclasses\n"
        "def study(small: bool = False):\n"
        "    return dataclasses.replace(small_study(), seeds=(0,) if small else (0, 1, 2))\n"
    )
    assert config.load(path).seeds == (0, 1, 2)
    assert config.load(path, ["small=True", "name=other"]) == dataclasses.replace(
        small_study(), seeds=(0,), name="other"
    )
    with pytest.raises(InputError, match="--set small: expected a bool, found 'yes'"):
        config.load(path, ["small=yes"])
    with pytest.raises(InputError, match="smal"):
        config.load(path, ["smal=True"])


@pytest.mark.parametrize("path", [quickstart.__file__, *sorted(CONFIGS.glob("*.py"))], ids=lambda path: str(path)[-20:])
def test_printed_settings_are_overrides_that_give_the_study_again(path):
    study = config.load(path)
    settings = list(config.settings(study))
    assert len({path for path, _ in settings}) == len(settings)
    again = study
    for place, value in settings:
        again = config.override_field(again, f"{place}={value!r}")
    assert again == study


def test_a_study_is_checked_and_shown_by_the_command(capsys, tmp_path):
    assert main.main(["config", "--set", "seeds=[4]"]) == 0
    assert capsys.readouterr().out == "study quickstart: every field is valid\n"
    assert main.main(["config", "--print", "--set", "encoders.bert.layers=1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "encoders.bert.layers=1" in lines and "contamination='whole_input'" in lines
    assert main.main(["config", "--set", "encoders.bert.layer=1"]) == 2


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a\nb", r"U\+000A"),
        ("a\x07", r"U\+0007"),
        ("a\u2028b", r"U\+2028"),
        ("a\u202eb", r"U\+202E"),
        ("a\ud800", r"U\+D800"),
        ("x" * 101, "at most 100 characters, found 101"),
        ("", "expected a name"),
        (" ", "expected a name"),
        ("..", "expected a name"),
    ],
)
def test_names_that_no_table_can_show_are_refused(name, message):
    encoder = EncoderSpec(name, "bert", checkpoint="x")
    study = Study("s", (encoder,), (Target("t", "sst2"),), arms=("direct",))
    with pytest.raises(InputError, match=message) as error:
        config.validate(study)
    assert "\n" not in str(error.value)
    if name not in ("", " ", ".."):
        with pytest.raises(InputError, match=message):
            config.validate(
                Study("s", (EncoderSpec("b", "bert", checkpoint="x"),), (Target(name, "sst2"),), arms=("direct",))
            )


def test_names_with_marks_of_other_scripts_and_signs_are_taken():
    for name in ("bert$\\frac$ | x", "\u200fעברית", "می\u200cخواهم", "a/b", "%&<>_`"):
        config.validate(
            Study("s", (EncoderSpec(name, "bert", checkpoint="x"),), (Target(name, "sst2"),), arms=("direct",))
        )
    with pytest.raises(InputError, match="it names a folder"):
        config.validate(
            Study("../x", (EncoderSpec("b", "bert", checkpoint="x"),), (Target("t", "sst2"),), arms=("direct",))
        )


def test_tasks_of_ones_own_are_those_of_the_study_or_of_the_file(tmp_path):
    path = tmp_path / "own.py"
    path.write_text("from itt_jax.tasks import get\ntasks = [get('xnli'), get('pawsx')]\n")
    assert [task.name for task in config.load_tasks(path)[0]] == ["xnli", "pawsx"]
    path.write_text(
        "from dataclasses import replace\nfrom itt_jax import tasks\nfrom itt_jax.study import quickstart\n"
        "def study(small=False):\n    return replace(quickstart.study, tasks=(tasks.get('xnli'),))\n"
    )
    assert [task.name for task in config.load_tasks(path)[0]] == ["xnli"]
    path.write_text("from itt_jax.tasks import get\ntasks = (get('xnli'), get('xnli'))\n")
    with pytest.raises(InputError, match=r"own.py: tasks: a name occurs twice in \['xnli', 'xnli'\]"):
        config.load_tasks(path)
