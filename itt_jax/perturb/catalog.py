"""Every operator by name, with what it promises."""

import dataclasses
from collections.abc import Callable

from itt_jax.perturb import characters
from itt_jax.perturb.edits import Edits
from itt_jax.perturb.noise import Noise
from itt_jax.perturb.units import Document

# ISO 639-1, and 639-3 for languages of XTREME-R and Tatoeba that have no two-letter code.
LANGUAGES = frozenset(
    "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en "
    "eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv "
    "ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne "
    "ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg sh si sk sl sm sn so sq sr ss "
    "st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu "
    "ang arq arz ast awa ber bre cbk ceb cha cmn cor csb dsb dtp fao gla gsw hsb ido ile ina jav kab khm kur kzj lat "
    "lfn lvs max mhr nds nno nob nov orv pam pes pms swg swh tuk tzl uig wuu xho yue zsm".split()
)


@dataclasses.dataclass(frozen=True)
class Operator:
    """One way to change text.

    Attributes:
        name: as given on the command line.
        function: (document, noise, severity) -> Edits.
        family: "character", "unicode" or "word".
        severity_unit: what a severity of 1 edits; severity s edits each eligible unit with probability s.
        scripts: where it has something to edit; "all" or names.
        languages: those it can be asked for.
        reversible: whether the clean text can be had back (but for coincidence) by a fixed rule.
        readable: whether a human reads the result without effort at a severity of 0.1.
        nested: whether the edits at a severity are among those at any higher one.
        whole_clusters: whether no grapheme cluster of the clean text is cut.
        reference: where it comes from.
        version: raised whenever the output changes for some text.
    """

    name: str
    function: Callable[[Document, Noise, float], Edits]
    family: str
    severity_unit: str
    reference: str
    scripts: str = "all"
    languages: frozenset[str] = LANGUAGES
    reversible: bool = False
    readable: bool = True
    nested: bool = True
    whole_clusters: bool = True
    version: int = 1

    @property
    def summary(self) -> str:
        """One line: what it does."""
        return self.function.__doc__.splitlines()[0]


IN_WORDS = "grapheme clusters that begin with a letter, mark or number"
OPERATORS = (
    Operator(
        "swap",
        characters.swap,
        "character",
        "grapheme edits (two per swap) per cluster of the pairs that differ; words are cut into pairs by a draw",
        "Pruthi et al. 2019, Combating Adversarial Misspellings (arXiv 1905.11268)",
    ),
    Operator(
        "delete",
        characters.delete,
        "character",
        f"edits per eligible cluster: {IN_WORDS}",
        "Pruthi et al. 2019 (arXiv 1905.11268); DeepWordBug (arXiv 1801.04354)",
    ),
    Operator(
        "keyboard",
        characters.keyboard,
        "character",
        "edits per eligible cluster: letters and digits with a neighbour on the language's keyboard",
        "Belinkov and Bisk 2018 (arXiv 1711.02173); layouts of xkb-data",
        languages=frozenset(characters.keyboard_layouts()),
    ),
)
CATALOG: dict[str, Operator] = {operator.name: operator for operator in OPERATORS}
