"""What a plan reads: numbers of rows by target, and which input has ancontent has changed."""

import dataclasses

from itt_jax.config import Perturbation
from itt_jax.data.sources import LocalFiles
from itt_jax.study import describe
from itt_jax.study.inputs import RowCount, changed_inputs, inputs, row_counts, row_lines
from itt_jax.study.material import Material
from itt_jax.study.plan import make_plan
from itt_jax.tasks import Task
from tests.study.studies import INFERENCE, STUDY


def own_study(folder, train_rows=None):
    """A study on three files: ten training rows, one of which is also evaluated, four dev rows and three test rows."""
    sizes = {"train": 10, "dev": 4, "test": 3}
    for split, size in sizes.items():
        rows = [f"some long text number {split} {i}\t{'ab'[i % 2]}\n" for i in range(size)]
        if split == "train":
            rows[0] = "some long text number test 0\ta\n"
        (folder / f"{split}.tsv").write_text("text\tlabel\n" + "".join(rows))
    paths = {split: str(folder / f"{split}.tsv") for split in sizes}
    source = LocalFiles(paths, "tsv", {"text": "text"}, "label")
    task = Task("mine", "classification", ("text",), (source,), ("a", "b"))
    target = dataclasses.replace(STUDY.targets[0], name="own", train="mine", train_rows=train_rows)
    return dataclasses.replace(STUDY, targets=(target,), tasks=(task,), languages=("en",), evaluation_rows=2)


def read(study):
    material = Material(study)
    return make_plan(study, material), material


def test_rows_of_a_target_are_counted_before_and_after_dropping_and_limits(tmp_path):
    found = row_counts(*read(own_study(tmp_path, train_rows=6)))
    assert found[0] == RowCount("", "pretraining", "embedded", "", 50, 50, 0)
    assert found[1:] == [
        RowCount("own", "training", "mine/train", "en", 6, 10, 1),
        RowCount("own", "dev", "mine/dev", "en", 4, 4, 0),
        RowCount("own", "evaluation", "mine/test", "en", 2, 3, 0),
        RowCount("own", "signal", "mine/dev", "en", 2, 4, 0),
    ]
    described = describe(own_study(tmp_path), tmp_path / "out")
    assert "training               mine/train/en                      9 of 10 (1 dropped)" in described.text()
    assert described.as_dict()["rows"][1] == dataclasses.asdict(
        RowCount("own", "training", "mine/train", "en", 9, 10, 1)
    )


def test_rows_of_other_stages_follow_and_languages_share_a_line():
    study = dataclasses.replace(STUDY, targets=(INFERENCE,), arms=("direct", "itt", "matched_steps", "dapt"))
    lines = list(row_lines(row_counts(*read(study))))
    purposes = [line[4:26].strip() for line in lines if line.startswith("    ")]
    assert purposes == [
        *("pretraining", "training", "dev", "intermediate training", "intermediate dev"),
        *("adaptation training", "evaluation", "signal"),
    ]
    assert lines[-2].endswith("5 of 300 in each of en, de")
    uneven = [RowCount("t", "evaluation", "x/test", code, n, n, 0) for code, n in (("en", 3), ("de", 1200))]
    assert list(row_lines(uneven))[1].endswith("3 to 1,200 in en, de (1,203 in all)")


def test_an_input_with_another_content_is_named_with_its_file(tmp_path):
    study = own_study(tmp_path)
    before = inputs(*read(study))
    assert set(before) == {"rows of mine/train/en", "rows of mine/dev/en", "rows of mine/test/en", "corpus embedded"}
    assert not changed_inputs(before, inputs(*read(study)))
    train, test = tmp_path / "train.tsv", tmp_path / "test.tsv"
    with open(train, "a") as file:
        file.write("one more text than before\tb\n")
    assert changed_inputs(before, inputs(*read(study))) == [
        f"rows of mine/train/en ({train}): content has changed, 10 -> 11 rows"
    ]
    own_study(tmp_path)
    test.write_text(test.read_text().replace("test 0", "nought"))  # so that no training row is dropped any more
    assert changed_inputs(before, inputs(*read(study))) == [
        f"rows of mine/test/en ({test}): content has changed, 3 rows as before"
    ]


def test_lexicons_are_inputs(tmp_path):
    lexicon = tmp_path / "en.txt"
    lexicon.write_text("text Wort\n")
    study = dataclasses.replace(
        own_study(tmp_path), perturbations=(Perturbation("code_mix", (0.1,), lexicon=str(lexicon)),)
    )
    assert f"lexicon {lexicon}" in inputs(*read(study))


def test_inputs_that_only_one_study_has_are_no_change():
    assert not changed_inputs({"rows of gone/train/en": {"digest": "a"}}, {"corpus embedded": {"digest": "b"}})
