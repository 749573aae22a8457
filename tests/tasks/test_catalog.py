"""The catalogue: row and class counts of the local files, and equal classes in each label space."""

import collections

import pytest

from itt_jax import tasks
from itt_jax.errors import InputError

# split -> rows, as the sets' own documentation counts them; where a set has one split, parts of 70/10/20 or 60/10/30 %
COUNTS = {
    "sst2": {"train": 56464, "dev": 544, "test": 872},
    "imdb": {"train": 1707, "dev": 245, "test": 488},
    "movie_reviews": {"train": 1400, "dev": 200, "test": 400},
    "rt_polarity": {"train": 7463, "dev": 1067, "test": 2132},
    "tweet_sentiment": {"train": 1839, "dev": 324, "test": 870},
    "tweet_sentiment_binary": {"train": 1226, "dev": 216, "test": 580},
    "druglib_three": {"train": 2796, "dev": 311, "test": 1036},
    "druglib": {"train+dev": 3107 - 159 - 157, "test": 1036 - 67 - 58},  # without the ratings 5 and 6
    "agnews": {"train": 9001, "dev": 1000, "test": 7600},
    "subj": {"train": 7000, "dev": 1000, "test": 2000},
    "trec": {"train": 4907, "dev": 545, "test": 500},
    "cola": {"train": 7250, "dev": 1301, "test": 1043},
    "xnli": {"dev": 2490, "test": 5010},
    "snli": {"train": 1666, "dev": 200, "test": 400},
    "snli_counterfactual": {"train": 8330, "dev": 1000, "test": 2000},
    "sick_entailment": {"train": 4500, "dev": 500, "test": 4927},
    "sick_relatedness": {"train": 4500, "dev": 500, "test": 4927},
    "rte": {"train": 2127, "dev": 363, "test": 277},
    "pawsx": {"dev": 2000, "test": 2000},
    "msrp": {"train": 3576, "dev": 500, "test": 1725},
    "medical_question_pairs": {"train": 1828, "dev": 306, "test": 914},
    "medical_question_similarity": {"train": 1828, "dev": 306, "test": 914},
    "stsb": {"train": 5749, "dev": 1500, "test": 1379},
    "stsb_multi_mt": {"train": 5749, "dev": 1500, "test": 1379},
}
UNFAIR = {
    "en": (10529, 3038, 3816),
    "de": (9851, 3000, 3037),
    "it": (10396, 3098, 3085),
    "pl": (12032, 3456, 3385),
}


@pytest.mark.parametrize("name", COUNTS)
def test_row_counts(name, data_root):
    task = tasks.get(name)
    for split, expected in COUNTS[name].items():
        for language in task.languages:
            parts = [part for part in split.split("+") if tasks.has_rows(task, part, language, data_root)]
            rows = [tasks.load_rows(task, part, language, data_root) for part in parts]
            assert sum(map(len, rows)) == expected or not parts
            for part in rows:
                assert tuple(part.fields) == task.fields and len(set(part.item_ids)) == len(part)


def test_unfair_tos_has_whole_documents_in_each_split(data_root):
    task = tasks.get("unfair_tos")
    services = collections.defaultdict(set)
    for language, counts in UNFAIR.items():
        for split, expected in zip(("train", "dev", "test"), counts, strict=True):
            rows = tasks.load_rows(task, split, language, data_root)
            assert len(rows) == expected and 0.05 < rows.labels.mean() < 0.12
            services[split] |= {item.rsplit("-", 1)[0].split("-", 1)[1] for item in rows.item_ids}
    assert [len(services[split]) for split in ("train", "dev", "test")] == [30, 10, 10]
    assert not services["train"] & services["test"] and not services["dev"] & services["test"]


def test_languages_with_labelled_test_rows(data_root):
    pawsx = tasks.get("pawsx")
    assert [code for code in pawsx.languages if tasks.has_rows(pawsx, "test", code, data_root)] == ["de", "zh"]
    with pytest.raises(InputError, match=r"'pawsx', split 'test': no language 'fr'; it has de, zh"):
        tasks.load_rows(pawsx, "test", "fr", data_root)
    chinese = tasks.load_rows(pawsx, "test", "zh", data_root)
    assert chinese.fields["sentence1"][1] == "Tabaci 河是罗马尼亚 Leurda 河的支流。"
    german = tasks.load_rows(pawsx, "test", "de", data_root)
    assert (chinese.labels == german.labels).sum() == 1983 and list(chinese.item_ids) == list(german.item_ids)
    for code in ("en", "fr"):
        assert not tasks.has_rows(pawsx, "train", code, data_root)


@pytest.mark.parametrize(
    "name, split, counts",
    [
        ("sst2", "test", [428, 444]),
        ("tweet_sentiment", "test", [290, 290, 290]),
        ("xnli", "test", [1670, 1670, 1670]),
        ("sick_entailment", "test", [1414, 2793, 720]),
        ("druglib", "test", [241, 670]),
        ("druglib_three", "test", [241, 125, 670]),
        ("agnews", "test", [1900] * 4),
        ("trec", "test", [9, 138, 94, 65, 81, 113]),
        ("msrp", "test", [578, 1147]),
        ("cola", "test", [322, 721]),
    ],
)
def test_class_counts(name, split, counts, data_root):
    rows = tasks.load_rows(tasks.get(name), split, "en", data_root)
    assert [int((rows.labels == index).sum()) for index in range(len(counts))] == counts


def test_first_rows_equal_those_of_the_files(data_root):
    xnli = tasks.load_rows(tasks.get("xnli"), "test", "de", data_root)
    assert xnli.fields["hypothesis"][0] == "Ich habe nicht wieder mit ihm gesprochen."
    assert tasks.get("xnli").labels[xnli.labels[0]] == "contradiction" and xnli.item_ids[0] == "xnli/test/0"
    stsb = tasks.load_rows(tasks.get("stsb_multi_mt"), "dev", "de", data_root)
    assert stsb.fields["sentence1"][1] == "Ein kleines Kind reitet auf einem Pferd." and stsb.labels[1] == 4.75
    msrp = tasks.load_rows(tasks.get("msrp"), "train", "en", data_root)
    assert 'called "the witness", of' in msrp.fields["sentence1"][0]
    questions = tasks.load_rows(tasks.get("trec"), "train", "en", data_root)
    assert questions.fields["text"][0].startswith("How did serfdom") and questions.labels[0] == 1
    tweets = tasks.load_rows(tasks.get("tweet_sentiment"), "dev", "de", data_root)
    assert tweets.item_ids[0] == "tweet_sentiment/dev/de-0" and tweets.labels[:3].tolist() == [0, 1, 2]


def test_tasks_of_one_label_space_share_their_classes():
    spaces = collections.defaultdict(set)
    for name, task in tasks.tasks().items():
        assert task.name == name
        assert task.source_language in task.languages or task.kind == "retrieval"  # Tatoeba: English is the other side
        spaces[task.label_space].add(name)
    assert {"xnli", "snli", "sick_entailment", "embedded_inference_legal"} <= spaces["entailment|neutral|contradiction"]
    assert {"sst2", "imdb", "druglib", "tweet_sentiment_binary"} <= spaces["negative|positive"]
    assert {"druglib_three", "tweet_sentiment"} <= spaces["negative|neutral|positive"]
    assert {"pawsx", "msrp", "medical_question_pairs"} <= spaces["different|paraphrase"]
    assert {"stsb", "sick_relatedness", "medical_question_similarity"} <= spaces["similarity"]


def test_embedded_tasks_need_no_files():
    task = tasks.get("embedded_inference_medical")
    german, english = (tasks.load_rows(task, "test", code) for code in ("de", "en"))
    assert list(german.item_ids) == list(english.item_ids) and (german.labels == english.labels).all()
    assert german.domain == task.domain == "medical"
    assert not tasks.has_rows(task, "test", "pl") and not tasks.has_rows(task, "validation", "de")


def test_unknown_names_are_explained():
    with pytest.raises(InputError, match=r"unknown task 'xnly'; did you mean 'xnli'"):
        tasks.get("xnly")
    with pytest.raises(InputError, match=r"task 'stsb' has no language 'de'; it has en"):
        tasks.load_rows(tasks.get("stsb"), "test", "de")
