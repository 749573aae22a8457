"""The `Operator` record, and the constants shared by its instances."""

import dataclasses
from collections.abc import Callable

from itt_jax.perturb import tables, units
from itt_jax.perturb.edits import Edits
from itt_jax.perturb.noise import Noise
from itt_jax.perturb.units import Document

# ISO 639-1 codes, and ISO 639-3 codes for languages of XTREME-R and Tatoeba without a two-letter code.
LANGUAGES = frozenset(
    "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en "
    "eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv "
    "ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne "
    "ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg sh si sk sl sm sn so sq sr ss "
    "st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu "
    "ang arq arz ast awa ber bre cbk ceb cha cmn cor csb dsb dtp fao gla gsw hsb ido ile ina jav kab khm kur kzj lat "
    "lfn lvs max mhr nds nno nob nov orv pam pes pms swg swh tuk tzl uig wuu xho yue zsm".split()
)


FAMILIES = ("character", "misspelling", "unicode", "script", "word", "lexical", "sentence", "control")


@dataclasses.dataclass(frozen=True)
class Operator:
    """A named way to change text. Severity s edits each eligible unit with probability s.

    Attributes:
        name: name on the command line.
        function: (document, noise, severity) -> Edits.
        family: one of FAMILIES, which groups operators in listings, or "composed".
        severity_unit: the unit of severity, and the units of text that are eligible.
        reference: paper or standard the operator follows.
        scripts: scripts in which it finds something to edit: "all" or names.
        languages: languages with a built-in table; with a user's lexicon, any language works.
        lexicon: contents of the columns of a lexicon file; "" if the operator does not read one.
        reversible: whether a fixed rule recovers the clean text, barring coincidences.
        readable: whether people read the result without effort at severity 0.1.
        changes_label: marks a control rather than a perturbation: the gold label may change.
        nested: whether the edits at one severity are a subset of those at any higher severity.
        shared_by_fields: whether the fields of an item share their draws, so that equal words change alike.
        whole_clusters: whether grapheme clusters of the clean text are never split.
        version: increased whenever the output changes for any text, which also redraws all edits.
        steps: the operators that a composed operator applies, in order; `function` is then unused.
    """

    name: str
    function: Callable[[Document, Noise, float], Edits]
    family: str
    severity_unit: str
    reference: str
    scripts: str = "all"
    languages: frozenset[str] = LANGUAGES
    lexicon: str = ""
    reversible: bool = False
    readable: bool = True
    changes_label: bool = False
    nested: bool = True
    shared_by_fields: bool = False
    whole_clusters: bool = True
    version: int = 1
    steps: tuple["Operator", ...] = ()

    @property
    def output_version(self) -> tuple[int, int | tuple[int, ...]]:
        """The versions of the units and of the operator, or of the steps of a composed one; with the arguments, they
        determine the output."""
        return units.VERSION, tuple(step.version for step in self.steps) or self.version

    @property
    def summary(self) -> str:
        """A one-line description."""
        if self.steps:
            return "Applies, in this order: " + ", ".join(step.name for step in self.steps) + "."
        return (self.function.__doc__ or "").partition("\n")[0]


IN_WORDS = "grapheme clusters that begin with a letter or number"
PRUTHI = "Pruthi et al. 2019, Combating Adversarial Misspellings (arXiv 1905.11268)"
DEEPWORDBUG = "Gao et al. 2018, DeepWordBug (arXiv 1801.04354)"
BAD_CHARACTERS = "Boucher et al. 2022, Bad Characters (arXiv 2106.09898)"
EDA = "Wei and Zou 2019, EDA (arXiv 1901.11196)"
ZEROE = "Eger and Benz 2020, From Hero to Zeroe (arXiv 2010.05648)"
NL_AUGMENTER = "Dhole et al. 2021, NL-Augmenter (arXiv 2112.02721)"
LETTER_SCRIPTS = ", ".join(tables.unicode_table()["script_names"])
