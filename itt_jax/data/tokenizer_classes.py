"""Tokenizer classes of `transformers`: what they imply where files do not say it."""

import dataclasses
from collections.abc import Mapping
from typing import Any

ROLES = ("pad", "cls", "sep", "mask", "unk")


@dataclasses.dataclass(frozen=True)
class TokenizerClass:
    """A tokenizer class of `transformers`: what it implies where files do not say it.

    Attributes:
        name: its name, without "Fast".
        model: the type of model that its tokenizer.json holds.
        files: the files it reads where there is no tokenizer.json.
        special: names of its special tokens, in the order of ROLES.
        single, pair: its templates (see `layout.from_template`).
        types: whether it gives token type ids to the model, unless `model_input_names` says otherwise.
        pad_type: token type id of padding. context_first: it pads on the left.
        extra: special tokens that it adds unless the settings name others.
        ends: its bos and eos tokens, where they are not among the others.
    """

    name: str
    model: str
    files: tuple[str, ...]
    special: tuple[str, ...]
    single: str
    pair: str
    types: bool
    pad_type: int = 0
    context_first: bool = False
    extra: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()


BERT = TokenizerClass(
    "BertTokenizer",
    "WordPiece",
    ("vocab.txt",),
    ("[PAD]", "[CLS]", "[SEP]", "[MASK]", "[UNK]"),
    "cls:0 A:0 sep:0",
    "cls:0 A:0 sep:0 B:1 sep:1",
    types=True,
)
ROBERTA = TokenizerClass(
    "RobertaTokenizer",
    "BPE",
    ("vocab.json", "merges.txt"),
    ("<pad>", "<s>", "</s>", "<mask>", "<unk>"),
    "cls:0 A:0 sep:0",
    "cls:0 A:0 sep:0 sep:0 B:0 sep:0",
    types=False,
)
XLM_ROBERTA = dataclasses.replace(
    ROBERTA, name="XLMRobertaTokenizer", model="Unigram", files=("sentencepiece.bpe.model",)
)
XLNET = TokenizerClass(
    "XLNetTokenizer",
    "Unigram",
    ("spiece.model",),
    ("<pad>", "<cls>", "<sep>", "<mask>", "<unk>"),
    "A:0 sep:0 cls:2",
    "A:0 sep:0 B:1 sep:1 cls:2",
    types=False,  # as in transformers 5; version 4 gives them to the model, which was trained with them
    pad_type=3,
    context_first=True,
    extra=("<eop>", "<eod>"),
    ends=("<s>", "</s>"),
)
DEBERTA_V2 = dataclasses.replace(BERT, name="DebertaV2Tokenizer", model="Unigram", files=("spm.model",))
CLASSES = {own.name: own for own in (BERT, ROBERTA, XLM_ROBERTA, XLNET, DEBERTA_V2)} | {
    "DistilBertTokenizer": dataclasses.replace(BERT, types=False),
    "ElectraTokenizer": BERT,
    "MobileBertTokenizer": BERT,
    "LongformerTokenizer": ROBERTA,
}
# Text encoders in transformers' TOKENIZER_MAPPING_NAMES; a class that is not implemented is refused by its name.
_OF_MODEL_TYPE = {
    **dict.fromkeys(("bert", "convbert", "distilbert", "electra", "ernie", "megatron-bert", "nezha"), "BertTokenizer"),
    **dict.fromkeys(("layoutlm", "nomic_bert", "squeezebert"), "BertTokenizer"),
    **dict.fromkeys(("bart", "data2vec-text", "ibert", "longformer", "roberta"), "RobertaTokenizer"),
    **dict.fromkeys(("mra", "roberta-prelayernorm"), "RobertaTokenizer"),
    **dict.fromkeys(("gte", "jina_embeddings_v3", "xlm-roberta", "xmod"), "XLMRobertaTokenizer"),
    "albert": "AlbertTokenizer",
    "big_bird": "BigBirdTokenizer",
    "camembert": "CamembertTokenizer",
    "deberta": "DebertaTokenizer",
    "deberta-v2": "DebertaV2Tokenizer",
    "funnel": "FunnelTokenizer",
    "gpt2": "GPT2Tokenizer",
    "mobilebert": "MobileBertTokenizer",
    "mpnet": "MPNetTokenizer",
    "rembert": "RemBertTokenizer",
    "roformer": "RoFormerTokenizer",
    "xlnet": "XLNetTokenizer",
}
# Classes that leave everything to tokenizer.json.
GENERIC = ("PreTrainedTokenizer", "TokenizersBackend")
# Encoders whose published files name a class that they do not follow: transformers 5 reads their tokenizer.json.
_GENERIC_WHATEVER_FILES_SAY = ("modernbert",)


def class_instead(config: Mapping[str, Any]) -> str:
    """The tokenizer class that an encoder's config.json implies whatever the tokenizer's files say, "" if none."""
    return GENERIC[1] if config.get("model_type") in _GENERIC_WHATEVER_FILES_SAY else ""


def class_beside(config: Mapping[str, Any]) -> str:
    """The tokenizer class that an encoder's config.json implies, "" if none."""
    model_type = config.get("model_type")
    implied = _OF_MODEL_TYPE.get(model_type, "") if isinstance(model_type, str) else ""
    return str(config.get("tokenizer_class") or implied)
