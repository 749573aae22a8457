"""Ids equal AutoTokenizer's for every layout of files, with added tokens and with settings that contradict them."""

import io
import json
import pathlib
import shutil
import tempfile

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from itt_jax.data.tokenizing import load_tokenizer
from itt_jax.data.vocabulary_training import train_files
from itt_jax.errors import InputError

TRAINING = [
    "The lake froze at dusk, and we saw Oslo.",
    "Die Ärztin in Köln hat das Medikament zugelassen.",
    "我爱北京 and a well-known U.S. (ok) covid test.",
] * 4
MODEL_TYPES = {"bert": "bert", "roberta": "roberta", "xlnet": "xlnet", "xlm": "xlm-roberta"}
LAYOUTS = ("transformers 5", "generic class", "transformers 4", "no decoder", "old files", "old files, named special")
MARKS = ["<e1>", "</e1>", "[E1]", "New York", "covid", "COVID-19", "Ünit", "<e1", "中文", "##x", "the", " lead", "Oslo"]
WORDS = [
    "The",
    "lake",
    "froze",
    "Köln",
    "HELLO",
    "我爱北京",
    "don't",
    "3.14",
    "covid",
    "New",
    "York",
    "U.S.",
    "e\u0301",
]
GAPS = ["", " ", " ", "  ", "\t", "\n "]


def trained_model(control: list[str], user_defined: list[str]) -> bytes:
    """A sentencepiece model: <unk>, <s> and </s>, then these symbols, then the pieces."""
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TRAINING),
        model_writer=model,
        vocab_size=170,
        hard_vocab_limit=False,
        control_symbols=control,
        user_defined_symbols=user_defined,
        num_threads=1,
        minloglevel=2,
    )
    return model.getvalue()


def model_files(name: str, control: list[str] = (), user_defined: list[str] = ()) -> dict[str, bytes]:
    """A sentencepiece model as fairseq has it, or as XLNet's authors published it, and the name of its class."""
    if name == "xlm":
        file, settings = "sentencepiece.bpe.model", {"tokenizer_class": "XLMRobertaTokenizer"}
    else:
        file, settings = "spiece.model", {"tokenizer_class": "XLNetTokenizer"}
        control = ["<cls>", "<sep>", "<pad>", "<mask>", "<eod>", *control]
        user_defined = ["<eop>", *user_defined]
    model = trained_model(list(control), list(user_defined))
    return {file: model, "tokenizer_config.json": json.dumps(settings).encode()}


def files_of(name: str) -> dict[str, bytes]:
    if name == "xlm":
        return model_files(name)
    return model_files(name, user_defined=list('.()"-')) if name == "xlnet" else train_files(TRAINING, name, 350)


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    """Directories with the old files of a small tokenizer, by family."""
    found = {}
    for name, model_type in MODEL_TYPES.items():
        found[name] = tmp_path_factory.mktemp(name)
        for file, content in files_of(name).items():
            (found[name] / file).write_bytes(content)
        (found[name] / "config.json").write_text(json.dumps({"model_type": model_type}))
    return found


def write(base, directory, layout, marks, special, flags):
    """The files of a tokenizer with added tokens, as a version of transformers writes them."""
    from transformers import AutoTokenizer

    reference = AutoTokenizer.from_pretrained(base)
    plain = layout in ("no decoder", "old files", "old files, named special")
    tokens = [
        tokenizers.AddedToken(mark, special=special, **({} if plain else own))
        for mark, own in zip(marks, flags, strict=True)
    ]
    if special:
        reference.add_special_tokens({"additional_special_tokens": tokens})
    else:
        reference.add_tokens(tokens)
    reference.save_pretrained(directory)
    shutil.copy(base / "config.json", directory)
    config = json.loads((directory / "tokenizer_config.json").read_text())
    content = json.loads((directory / "tokenizer.json").read_text())
    ids = {mark: reference.convert_tokens_to_ids(mark) for mark in marks}
    if layout == "generic class":
        config["tokenizer_class"] = "PreTrainedTokenizerFast"
    elif layout != "transformers 5":
        for file in base.iterdir():
            shutil.copy(file, directory)
        (directory / "added_tokens.json").write_text(json.dumps(ids))
        if layout == "transformers 4":
            decoder = {token["id"]: {k: v for k, v in token.items() if k != "id"} for token in content["added_tokens"]}
            config["added_tokens_decoder"] = decoder
        else:
            config = json.loads((base / "tokenizer_config.json").read_text())
    (directory / "tokenizer_config.json").write_text(json.dumps(config))
    if layout.startswith("old files"):
        (directory / "tokenizer.json").unlink()
    if layout == "old files, named special":
        (directory / "special_tokens_map.json").write_text(json.dumps({"additional_special_tokens": marks}))


def both(directory, texts):
    """Ids of texts: ours, by the chunk table and whole, and AutoTokenizer's."""
    from transformers import AutoTokenizer

    found = load_tokenizer(directory)
    theirs = AutoTokenizer.from_pretrained(directory)(texts, add_special_tokens=False)["input_ids"]
    by_chunk, whole = ([ids.tolist() for ids in tokens] for tokens in (found.encode(texts), found.encode_whole(texts)))
    assert by_chunk == whole and not found.mismatched
    return whole, theirs


@st.composite
def cases(draw):
    marks = draw(st.lists(st.sampled_from(MARKS), min_size=1, max_size=3, unique=True))
    flag = st.sampled_from([False, False, False, True])
    flags = [
        {name: draw(flag) for name in ("lstrip", "rstrip", "single_word")} | {"normalized": draw(st.booleans())}
        for _ in marks
    ]
    part = st.tuples(st.sampled_from(GAPS), st.sampled_from(WORDS + 3 * marks)).map("".join)
    text = st.tuples(st.lists(part, max_size=8), st.sampled_from(["", " ", "."])).map(lambda t: "".join(t[0]) + t[1])
    layout = draw(st.sampled_from(LAYOUTS))
    return (
        draw(st.sampled_from(list(MODEL_TYPES))),
        layout,
        marks,
        draw(st.booleans()),
        flags,
        draw(st.lists(text, min_size=4, max_size=8)),
    )


def check_layout(bases, case):
    name, layout, marks, special, flags, texts = case
    with tempfile.TemporaryDirectory() as made, tempfile.TemporaryDirectory() as saved:
        write(bases[name], pathlib.Path(made), layout, marks, special, flags)
        ours, theirs = both(pathlib.Path(made), texts)
        assert ours == theirs
        load_tokenizer(made).save(saved)
        shutil.copy(pathlib.Path(made) / "config.json", saved)
        assert both(pathlib.Path(saved), texts) == (theirs, theirs)


@settings(max_examples=8, deadline=None)
@given(case=cases())
def test_added_tokens(bases, case):
    check_layout(bases, case)


@pytest.mark.slow
@pytest.mark.volume
@settings(max_examples=400, deadline=None)
@given(case=cases())
def test_added_tokens_in_many_layouts(bases, case):
    check_layout(bases, case)


ODD_PARTS = [
    *WORDS,
    "e\u0301e\u0301",
    "a\u0323\u0302",
    "\u0958\u093c",
    "각",
    "👩\u200d👧",
    "東京。",
    "ﬁ½",
    "``a''",
    "...",
    "(-)",
]
ODD_PARTS += [
    '".',
    "\u00a0",
    "\u3000",
    "\u2003",
    "\u200b",
    "\u0085",
    "\u2028",
    "\ufeff",
    "▁",
    "<",
    "x1>",
    "<x1>",
    "<x2>",
]


@st.composite
def model_cases(draw):
    """A kind of model, its symbols, settings beside it, and texts without the names of its special tokens."""
    symbols = st.lists(
        st.sampled_from(["<x1>", "<x2>", "lake", ".", "-", "(", '"', "e\u0301", "京"]), max_size=3, unique=True
    )
    marked = draw(symbols)
    split = draw(st.integers(0, len(marked)))
    changed = draw(st.sampled_from([{}, {}, {"do_lower_case": True}, {"keep_accents": True}, {"bos_token": "<x1>"}]))
    text = st.lists(st.tuples(st.sampled_from(GAPS), st.sampled_from(ODD_PARTS)).map("".join), max_size=9).map("".join)
    return (
        draw(st.sampled_from(["xlnet", "xlm"])),
        marked[:split],
        marked[split:],
        changed,
        draw(st.lists(text, min_size=4, max_size=8)),
    )


def check_model(case):
    name, control, user_defined, changed, texts = case
    files = model_files(name, control, user_defined)
    if "bos_token" in changed:  # the model's own, which is text in texts
        texts = [text.replace("<x1>", "") for text in texts]
    with tempfile.TemporaryDirectory() as made:
        for file, content in files.items():
            (pathlib.Path(made) / file).write_bytes(content)
        settings = json.loads(files["tokenizer_config.json"])
        if name == "xlnet":
            settings |= changed
        (pathlib.Path(made) / "tokenizer_config.json").write_text(json.dumps(settings))
        (pathlib.Path(made) / "config.json").write_text(json.dumps({"model_type": MODEL_TYPES[name]}))
        ours, theirs = both(made, texts)
        assert ours == theirs


@settings(max_examples=8, deadline=None)
@given(case=model_cases())
def test_a_model_alone(case):
    check_model(case)


def test_accents_that_its_class_removes_are_logged(tmp_path, caplog):
    files = model_files("xlnet")
    files["tokenizer_config.json"] = b'{"tokenizer_class": "XLNetTokenizer", "keep_accents": true}'
    for file, content in files.items():
        (tmp_path / file).write_bytes(content)
    ours, theirs = both(tmp_path, ["Die Ärztin in Köln"])
    assert ours == theirs and "keep_accents is ignored" in caplog.text


@pytest.mark.slow
@pytest.mark.volume
@settings(max_examples=300, deadline=None)
@given(case=model_cases())
def test_a_model_alone_in_many_cases(case):
    check_model(case)


SETTINGS = [
    ("bert", {"do_lower_case": True}),
    ("bert", {"do_lower_case": True, "strip_accents": False}),
    ("bert", {"strip_accents": True}),
    ("bert", {"tokenize_chinese_chars": False}),
    ("bert", {"do_basic_tokenize": False, "never_split": ["lake"]}),
    ("bert", {"added_tokens_decoder": {}}),
    ("bert", {"extra_special_tokens": {"image_token": "<image>"}}),
    ("bert", {"split_special_tokens": True, "extra_special_tokens": ["<image>"]}),
    ("roberta", {"add_prefix_space": True}),
    ("roberta", {"trim_offsets": False}),
    ("xlm", {"add_prefix_space": False}),
    ("xlm", {"sp_model_kwargs": {"enable_sampling": True}}),
    ("xlnet", {"do_lower_case": True}),
    ("xlnet", {"keep_accents": False, "remove_space": False}),
    ("xlnet", {"legacy": False}),
]
TEXTS = ["London is BIG, <image>.", "Die Ärztin in Köln", "我爱北京", "the lake", "A well-known U.S. test (ok)", ""]


@pytest.mark.parametrize("with_class", [True, False], ids=["class", "config.json"])
@pytest.mark.parametrize(("name", "changed"), SETTINGS)
def test_settings_beside_tokenizer_json(name, changed, with_class, bases, tmp_path):
    from transformers import AutoTokenizer

    AutoTokenizer.from_pretrained(bases[name]).save_pretrained(tmp_path)
    shutil.copy(bases[name] / "config.json", tmp_path)
    path = tmp_path / "tokenizer_config.json"
    values = json.loads(path.read_text()) | changed
    if not with_class:
        del values["tokenizer_class"]
    path.write_text(json.dumps(values))
    ours, theirs = both(tmp_path, TEXTS)
    assert ours == theirs


def changed_json(base, directory, change, **values):
    """A directory of transformers 5 whose tokenizer.json `change` edits."""
    from transformers import AutoTokenizer

    AutoTokenizer.from_pretrained(base).save_pretrained(directory)
    content = json.loads((directory / "tokenizer.json").read_text())
    change(content)
    (directory / "tokenizer.json").write_text(json.dumps(content))
    path = directory / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_a_pipeline_that_its_class_does_not_build_is_logged(bases, tmp_path, caplog):
    lower = {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Lowercase"}]}
    changed_json(bases["bert"], tmp_path, lambda content: content.update(normalizer=lower))
    ours, theirs = both(tmp_path, TEXTS)
    assert ours == theirs
    assert "split" in caplog.text and "differently from the class BertTokenizer" in caplog.text


def test_a_generic_class_follows_the_file(bases, tmp_path, caplog):
    lower = {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Lowercase"}]}
    change = {"tokenizer_class": "PreTrainedTokenizerFast", "do_lower_case": False}
    changed_json(bases["bert"], tmp_path, lambda content: content.update(normalizer=lower), **change)
    ours, theirs = both(tmp_path, TEXTS)
    assert ours == theirs and not caplog.text


def test_a_post_processor_that_its_class_does_not_have_is_logged(bases, tmp_path, caplog):
    own = json.loads(tokenizers.processors.RobertaProcessing(("[SEP]", 3), ("[CLS]", 2)).__getstate__())
    changed_json(bases["bert"], tmp_path, lambda content: content.update(post_processor=own))
    assert "lays out examples differently" in (load_tokenizer(tmp_path) and caplog.text)


def named_twice(content):
    content["added_tokens"].append(content["added_tokens"][0] | {"id": 9999, "content": "<e1>", "special": False})


@pytest.mark.parametrize(
    ("change", "values", "message"),
    [
        (named_twice, {"added_tokens_decoder": {}}, r"'<e1>' is not in added_tokens_decoder of tokenizer_config.json"),
        (named_twice, {}, r"tokenizer.json: added_tokens: '<e1>' has id 9999, but in this vocabulary it is \d+"),
        (lambda content: content["model"].update(type="WordLevel"), {}, r"holds a \"?'?WordLevel"),
        (lambda content: content["model"]["vocab"].update(x=10**11), {}, "'x': id 100000000000, expected a whole"),
        (lambda content: content["model"]["vocab"].update(x=0), {}, "'x' and .* both have id 0"),
        (None, {"do_lower_case": "no"}, "do_lower_case is 'no', expected true or false"),
        (None, {"truncation_side": "left"}, "truncation_side is 'left', expected 'right'"),
        (None, {"padding_side": "up"}, "padding_side is 'up', expected 'left' or 'right'"),
        (None, {"tokenizer_class": "CamembertTokenizer"}, "tokenizer_class 'CamembertTokenizer' is not supported"),
        (None, {"tokenizer_class": "XLNetTokenizer"}, "holds a 'WordPiece' model, but .* XLNetTokenizer is a Unigram"),
        (None, {"fast_tokenizer_files": ["tokenizer.4.json"]}, "fast_tokenizer_files .* are not supported"),
        (None, {"added_tokens_decoder": {"100000000000": {"content": "<e1>"}}}, "id 100000000000, expected"),
        (None, {"added_tokens_decoder": {"5": {"content": "<e1>"}, "05": {"content": "<e2>"}}}, "also the id of"),
        (None, {"extra_special_tokens": [3]}, "found 3, expected a token"),
    ],
)  # fmt: skip
def test_contradictions_are_refused(change, values, message, bases, tmp_path):
    changed_json(bases["bert"], tmp_path, change or (lambda content: None), **values)
    if change is named_twice and not values:  # where nothing but tokenizer.json declares them
        path = tmp_path / "tokenizer_config.json"
        path.write_text(
            json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k != "added_tokens_decoder"})
        )
    with pytest.raises(InputError, match=message):
        load_tokenizer(tmp_path)


def test_special_tokens_stay_text_and_added_ones_do_not(bases, tmp_path):
    changed_json(bases["bert"], tmp_path, lambda content: None, extra_special_tokens=["<e1>", "[SEP]"])
    found = load_tokenizer(tmp_path)
    ids = found.encode(["the <e1> [SEP] [CLS]"]).values.tolist()
    marker = found.pieces.index("<e1>")
    assert marker in ids and not {found.sep_id, found.cls_id} & set(ids)
    assert found.word_starts(found.encode(["x<e1>"]).values)[-1]


def replaced(pattern, content):
    return {"type": "Replace", "pattern": pattern, "content": content}


@pytest.mark.parametrize(
    "step",
    [
        {"normalizer": replaced({"String": "New York"}, "Oslo")},
        {"normalizer": replaced({"Regex": r"(?<=\d) (?=\d{3})"}, "")},
        {"normalizer": {"type": "Strip", "strip_left": True, "strip_right": True}},
        {"pre_tokenizer": None},
        {
            "pre_tokenizer": {
                "type": "Split",
                "pattern": {"Regex": r"saw New|\s+"},
                "behavior": "Isolated",
                "invert": False,
            }
        },
    ],
    ids=["name", "digits", "strip", "no words", "split"],
)
def test_steps_that_look_across_blanks_are_followed_in_every_text(bases, tmp_path, step):
    """A sample of the texts, which the chunk table checks, would miss one in hundreds."""
    change = {"tokenizer_class": "PreTrainedTokenizerFast"}
    changed_json(bases["bert"], tmp_path, lambda content: content.update(step), **change)
    texts = [f"The lake number {i} froze" for i in range(300)]
    texts[137], texts[211] = "I saw New York in Oslo ", "cost 12 345 dollars"
    ours, theirs = both(tmp_path, texts)
    assert ours == theirs and not load_tokenizer(tmp_path).by_chunk


@pytest.mark.parametrize("name", MODEL_TYPES)
def test_steps_that_do_not_keep_the_chunk_table(bases, tmp_path, name):
    changed_json(bases[name], tmp_path, lambda content: None, tokenizer_class="PreTrainedTokenizerFast")
    assert load_tokenizer(tmp_path).by_chunk
