"""Validity sheets: sampling, files, verdicts and invalid input."""

import collections
import csv
import io
import json

import numpy as np
import pytest

from itt_jax.errors import InputError
from itt_jax.perturb import Lexicon, perturb
from itt_jax.perturb.sheet import (
    COLUMNS,
    FORMULA,
    Line,
    Texts,
    count_lines,
    counts_json,
    guarded,
    read_sheet,
    sampled,
    unguarded,
    verdict_counts,
    write_sheet,
)

ENGLISH = [f"The patient in room {i} is well, and sleeps." for i in range(60)]
GERMAN = [f"Der Patient in Zimmer {i} ist gesund und schläft." for i in range(60)]
IDS = [f"set/test/{i}" for i in range(60)]
LABELS = ["good", "bad"] * 30
TEXTS = [
    Texts("en", IDS, {"text": ENGLISH}, LABELS, ("text",)),
    Texts("de", IDS, {"text": GERMAN}, LABELS, ("text",)),
]
ODD = [
    "=1+1", "@handle x", "+49", "-", "'quoted'", "'=x", "\ttab", "\rreturn", "\nline", "a\nb", "a\r\nb", "''",
    "semi;colon", "", " ", "क्षमा", "今日", "\u202ebidi\u202c", "\u2028", "x\x08y", "\ufeff", "＝全角", "a,b,c",
    'say "no", twice',
]  # fmt: skip


def line(operator: str = "swap", language: str = "en", verdict: str = "", severity: float = 0.2) -> Line:
    return Line("id", language, operator, severity, "good", "clean", "prturbed", verdict)


def test_lines_equal_the_output_of_perturb():
    found = sampled(TEXTS, ["swap", "tautology"], 0.4, 40, seed=3)
    assert len(found) == 40
    assert collections.Counter((one.operator, one.language) for one in found) == dict.fromkeys(
        [("swap", "en"), ("swap", "de"), ("tautology", "en"), ("tautology", "de")], 10
    )
    assert len(set(found)) == 40
    for one in found:
        place = IDS.index(one.item)
        texts = ENGLISH if one.language == "en" else GERMAN
        expected = perturb([texts[place]], one.operator, 0.4, one.language, 3, ids=[one.item])
        assert (one.clean, one.perturbed, one.label) == (texts[place], *expected, LABELS[place])
        assert one.clean != one.perturbed and one.verdict == ""


def test_samples_depend_on_the_seed_and_are_prefixes_of_longer_ones():
    found = sampled(TEXTS, ["swap", "negation"], 0.3, 30, seed=1)
    assert found == sampled(TEXTS, ["swap", "negation"], 0.3, 30, seed=1)
    assert found[:12] == sampled(TEXTS, ["swap", "negation"], 0.3, 12, seed=1)
    assert found != sampled(TEXTS, ["swap", "negation"], 0.3, 30, seed=2)


def test_few_rows_cycle_through_the_operators():
    found = sampled(TEXTS, [], 0.5, 20)
    assert len({one.operator for one in found}) == 20
    assert {one.language for one in found} == {"en", "de"}


def test_all_changed_texts_are_returned_if_fewer_than_requested():
    found = sampled(TEXTS, ["tautology"], 0.5, 1000)
    assert 40 < len(found) < 80
    assert len({(one.item, one.language) for one in found}) == len(found)


def test_several_fields_and_protected_text():
    fields = {"premise": ENGLISH, "hypothesis": ["He sleeps."] * 60}
    mask = np.ones(10, bool)
    mask[:3] = False
    texts = [Texts("en", IDS, fields, LABELS, ("hypothesis",), {"hypothesis": [mask] * 60})]
    for one in sampled(texts, ["delete"], 0.8, 30):
        premise, hypothesis = one.perturbed.split("\n")
        place = IDS.index(one.item)
        assert one.clean == f"premise: {ENGLISH[place]}\nhypothesis: He sleeps."
        assert premise == f"premise: {ENGLISH[place]}"
        assert hypothesis.startswith("hypothesis: He ")
        expected = perturb(["He sleeps."], "delete", 0.8, "en", ids=[one.item], field="hypothesis", editable=[mask])
        assert [hypothesis.removeprefix("hypothesis: ")] == expected


def test_lexicons_and_composed_operators():
    lexicon = Lexicon({"patient": "doctor"})
    found = sampled(TEXTS, ["negation", "swap+tautology"], 1.0, 8, lexicon=lexicon)
    assert {one.operator for one in found} == {"negation", "swap+tautology"}
    assert all(" doctor in" in one.perturbed.lower() for one in found if one.operator == "negation")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((TEXTS, ["swp"], 0.2, 9), "did you mean 'swap'"),
        ((TEXTS, ["swap"], 2, 9), "expected a number from 0 to 1"),
        ((TEXTS, ["swap"], 0.2, 0), "rows: found 0"),
        ((TEXTS, ["swap"], 0.0, 9), "nothing to judge"),
        ((TEXTS, ["swap"], 0.2, 9, 0, Lexicon({"a": "b"})), "none of the perturbations uses one"),
    ],
)
def test_invalid_requests(arguments, message):
    with pytest.raises(InputError, match=message):
        sampled(*arguments)


def test_files_keep_every_text(tmp_path):
    lines = [Line(f"id {i}", "en", "swap", 0.05, text, text, text[::-1]) for i, text in enumerate(ODD)]
    path = tmp_path / "sheet.csv"
    write_sheet(path, lambda: lines)
    assert read_sheet(path) == lines
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == len(lines) + 1
    assert not any(cell.startswith(FORMULA[:-1]) for row in rows for cell in row)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["sheet.csv"]


def test_pandas_reads_a_sheet(tmp_path):
    import pandas as pd

    path = tmp_path / "sheet.csv"
    write_sheet(path, lambda: sampled(TEXTS, ["swap", "invisible"], 0.2, 20))
    frame = pd.read_csv(path, keep_default_na=False, dtype=str)
    assert list(frame.columns) == list(COLUMNS)
    assert frame["perturbed"].tolist() == [guarded(one.perturbed) for one in read_sheet(path)]


@pytest.mark.parametrize("text", ODD)
def test_the_apostrophe_is_removed_again(text):
    assert unguarded(guarded(text)) == text


def rewritten(path, verdicts: list[str], delimiter: str = ",", encoding: str = "utf-8") -> None:
    """Saves the judged sheet like a spreadsheet: few quotes, another delimiter, decimal commas, no byte order mark."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        header, *rows = csv.reader(file)
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow(header)
    for row, verdict in zip(rows, verdicts, strict=True):
        row[header.index("verdict")] = verdict
        if delimiter == ";":
            row[header.index("severity")] = row[header.index("severity")].replace(".", ",")
        writer.writerow(row)
    path.write_bytes(text.getvalue().encode(encoding))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_verdicts_of_a_judged_sheet(tmp_path, delimiter):
    path = tmp_path / "sheet.csv"
    lines = [line() for _ in range(8)]
    write_sheet(path, lambda: lines)
    rewritten(path, ["valid", " Valid ", "v", "YES", "invalid", "n", "0", ""], delimiter)
    found = read_sheet(path)
    assert [one.verdict for one in found] == ["valid"] * 4 + ["invalid"] * 3 + [""]
    assert {one.severity for one in found} == {0.2}


def test_counts_have_wilson_intervals():
    lines = [line(verdict="valid")] * 9 + [line(verdict="invalid")] + [line()] * 5 + [line(language="de")] * 2
    lines += [line("negation", verdict="invalid")] * 3 + [line(severity=0.5, verdict="valid")] + [line("gone")]
    counts = {(one.operator, one.severity, one.language): one for one in verdict_counts(lines)}
    assert list(counts) == [
        ("gone", 0.2, "all"), ("gone", 0.2, "en"), ("negation", 0.2, "all"), ("negation", 0.2, "en"),
        ("swap", 0.2, "all"), ("swap", 0.2, "de"), ("swap", 0.2, "en"), ("swap", 0.5, "all"), ("swap", 0.5, "en"),
    ]  # fmt: skip
    english, both, german = counts["swap", 0.2, "en"], counts["swap", 0.2, "all"], counts["swap", 0.2, "de"]
    assert (english.rows, english.judged, english.valid, english.unjudged, english.share) == (15, 10, 9, 5, 0.9)
    # by hand: (p + z*z/2n -+ z * sqrt(p(1-p)/n + z*z/4nn)) / (1 + z*z/n), with n = 10, p = 0.9, z = 1.959964
    assert (english.ci_low, english.ci_high) == pytest.approx((0.595850, 0.982124), abs=1e-6)
    assert (both.rows, both.judged, both.unjudged) == (17, 10, 7)
    assert (german.share, german.ci_low, german.ci_high) == (None, None, None)
    assert {one.operator for one in counts.values() if one.control} == {"negation"}
    text = "\n".join(count_lines(list(counts.values())))
    assert "0.90 [0.60, 0.98]" in text and "control: may change the label" in text
    assert json.loads(counts_json([german]))[0]["share"] is None


def test_invalid_verdicts_are_named_by_line(tmp_path):
    path = tmp_path / "sheet.csv"
    lines = [Line("id", "en", "swap", 0.2, "good", "one\ntwo", "one\ntow")] * 8
    write_sheet(path, lambda: lines)
    rewritten(path, ["valid", "perhaps", "", "valdi", *["?"] * 4])
    message = "found 'perhaps' in line 5, 'valdi' in line 11, '[?]' in line 14.* and 1 more"
    with pytest.raises(InputError, match=message):
        read_sheet(path)


def test_a_judged_sheet_is_not_overwritten(tmp_path):
    path = tmp_path / "sheet.csv"
    write_sheet(path, lambda: [line()])
    write_sheet(path, lambda: [line("delete")])
    assert [one.operator for one in read_sheet(path)] == ["delete"]
    rewritten(path, ["valid"])
    before = path.read_bytes()
    with pytest.raises(InputError, match="contains 1 verdicts; choose another file"):
        write_sheet(path, lambda: pytest.fail("made in vain"))
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a sheet: missing column item, language"),
        (b"some notes\nof mine\n", "not a sheet"),
        (b"item,language,operator,severity,label,clean,perturbed\n", "missing column verdict"),
        ("item,language,operator,severity,label,clean,perturbed,verdict\né".encode("latin-1"), "CSV UTF-8"),
        (b"item,language,operator,severity,label,clean,perturbed,verdict\na,en,swap\n", "line 2: fewer cells"),
        (
            b"item,language,operator,severity,label,clean,perturbed,verdict\na,en,s,x,l,c,p,\n",
            "found severity 'x', expected a number",
        ),
        (
            b'item,language,operator,severity,label,clean,perturbed,verdict\na,en,s,1,l,"c,p,\n',
            "line 2: unexpected end",
        ),
        (
            b'item,language,operator,severity,label,clean,perturbed,verdict\na,en,s,1,l,"c,p,\nb,en,s,1,l,d",p,i\n',
            "line 2: a quoted value goes on to line 3, and its lines look like rows",
        ),
        (b"item,language,operator,severity,label,clean,perturbed,verdict,verdict\n", "'verdict' occurs twice"),
        (b"item,language,operator,severity,label,clean,perturbed,verdict\na,en,s,1,l,c,p,,v\n", "line 2: more cells"),
    ],
)
def test_other_files_are_refused_and_kept(tmp_path, content, message):
    path = tmp_path / "notes.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_sheet(path)
    with pytest.raises(InputError, match=message):
        write_sheet(path, lambda: [line()])
    assert path.read_bytes() == content


def test_missing_files(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_sheet(tmp_path / "none.csv")
    with pytest.raises(InputError, match="No such file"):
        write_sheet(tmp_path / "nowhere" / "sheet.csv", lambda: [line()])


def test_texts_longer_than_the_csv_field_limit(tmp_path):
    path = tmp_path / "sheet.csv"
    limit = csv.field_size_limit()
    long = Line("id", "en", "swap", 0.2, "good", "a" * 200_000, "b" * 200_000)
    write_sheet(path, lambda: [long])
    assert read_sheet(path) == [long]
    assert csv.field_size_limit() == limit
