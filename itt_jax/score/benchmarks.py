"""XTREME (arXiv 2003.11080) and XTREME-R (2104.07412) as google-research/xtreme's `evaluate.py` defines them; LEXTREME.

Tasks, languages, files and groups are taken from it. Its XTREME-R average cannot be computed, so two things differ:
XCOPA is in two groups, and the average counts it once; `evaluate.py` lists no languages and no file for LAReQA, so its
layout here is our own (see `layout`), the task is optional, and group and average say whether they include it.

LEXTREME (2301.13126) has no official layout. Ours follows XTREME's, for the tasks in the catalogue.
"""

import dataclasses

from itt_jax import kinds
from itt_jax.errors import unknown
from itt_jax.score.formats import Format, format_named
from itt_jax.tasks import lextreme


@dataclasses.dataclass(frozen=True)
class OfficialTask:
    """One task of a benchmark.

    Attributes:
        name: name of its folder. format: format of its files.
        languages: in the order of the official script, which averages over all of them.
        known: permitted labels, in the order of their numbers in the data; empty if any label is permitted.
        protocol: normalisation of answers, see `metrics.answers`.
    """

    name: str
    format: Format
    languages: tuple[str, ...]
    known: tuple[str, ...] = ()
    protocol: str = ""

    def file(self, language: str) -> str:
        """Path of a language's file in a folder of predictions or labels."""
        return f"{self.name}/test-{language}.{self.format.suffix}"


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """A benchmark.

    Attributes:
        groups: group -> tasks, as the official script prints them.
        optional: tasks that a group and the average may lack.
        notes: caveats about the averages.
    """

    name: str
    tasks: dict[str, OfficialTask]
    groups: dict[str, tuple[str, ...]]
    optional: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


_XNLI = "ar bg de el en es fr hi ru sw th tr ur vi zh"
_PANX = (
    "ar he vi id jv ms tl eu ml ta te af nl en de el bn hi mr ur fa fr it pt es bg ru ja ka ko th sw yo my zh kk tr et"
    " fi hu"
)
_UDPOS = "af ar bg de el en es et eu fa fi fr he hi hu id it ja kk ko mr nl pt ru ta te th tl tr ur vi yo zh"
_TATOEBA = "ar he vi id jv tl eu ml ta te af nl de el bn hi mr ur fa fr it pt es bg ru ja ka ko th sw zh kk tr et fi hu"
_XQUAD = "en es de el ru tr ar vi th zh hi"
_MLQA = "en es de ar hi vi zh"
_TYDIQA = "en ar bn fi id ko ru sw te"


def _tasks(*tasks: tuple[str, str, str, dict]) -> dict[str, OfficialTask]:
    return {
        name: OfficialTask(name, format_named(form), tuple(codes.split()), **more) for name, form, codes, more in tasks
    }


_SQUAD = {"protocol": "squad"}
_NLI_LABELS = {"known": ("contradiction", "entailment", "neutral")}

XTREME = Benchmark(
    name="xtreme",
    tasks=_tasks(
        ("pawsx", "labels", "de en es fr ja ko zh", {"known": ("0", "1")}),
        ("xnli", "labels", _XNLI, _NLI_LABELS),
        ("panx", "tags", _PANX, {}),
        ("udpos", "tags", _UDPOS, {}),
        ("bucc2018", "pairs", "de fr ru zh", {}),
        ("tatoeba", "labels", _TATOEBA, {}),
        ("xquad", "answers", _XQUAD, _SQUAD),
        ("mlqa", "answers", _MLQA, {"protocol": "mlqa"}),
        ("tydiqa", "answers", _TYDIQA, _SQUAD),
    ),
    groups={
        "classification": ("pawsx", "xnli"),
        "tagging": ("udpos", "panx"),
        "qa": ("xquad", "mlqa", "tydiqa"),
        "retrieval": ("bucc2018", "tatoeba"),
    },
)

XTREME_R = Benchmark(
    name="xtreme-r",
    tasks=_tasks(
        ("xnli", "labels", _XNLI, _NLI_LABELS),
        ("xcopa", "choices", "et ht id it qu sw ta th tr vi zh", {"known": ("0", "1")}),
        ("panx", "tags", _PANX + " qu pl uk az lt pa gu ro", {}),
        ("udpos", "tags", _UDPOS + " lt pl uk wo ro", {}),
        ("xquad", "answers", _XQUAD + " ro", _SQUAD),
        ("mlqa", "answers", _MLQA, {"protocol": "mlqa"}),
        ("tydiqa", "answers", _TYDIQA, _SQUAD),
        ("tatoeba", "labels", _TATOEBA + " az lt pl uk ro", {}),
        ("mewslix", "rankings", "ar de en es fa ja pl ro ta tr uk", {}),
        ("lareqa", "rankings", "ar de el en es hi ru th tr vi zh", {}),
    ),
    groups={
        "classification": ("xnli", "xcopa"),
        "multi_choice": ("xcopa",),
        "tagging": ("udpos", "panx"),
        "qa": ("xquad", "mlqa", "tydiqa"),
        "retrieval": ("tatoeba", "mewslix", "lareqa"),
    },
    optional=("lareqa",),
    notes=(
        "xcopa is in two groups, as in the official script; the average counts it once",
        "mewslix has one right entity a mention, so its map@20 is the mean reciprocal rank, as in the official script",
    ),
)

_LEXTREME_PREFIX = "lextreme_"
LEXTREME = Benchmark(
    name="lextreme",
    tasks=_tasks(
        *(
            (
                task.name.removeprefix(_LEXTREME_PREFIX),
                kinds.kind(task.kind).file_format(task),
                " ".join(task.languages),
                {"known": task.labels},
            )
            for task in lextreme.LEXTREME
            if task.name.startswith(_LEXTREME_PREFIX)
        )
    ),
    groups={},
)

BENCHMARKS = {benchmark.name: benchmark for benchmark in (XTREME, XTREME_R)}
LAYOUTS = BENCHMARKS | {LEXTREME.name: LEXTREME}
"""Benchmarks whose predictions are in folders of tasks."""
MULTICHECKLIST = "multichecklist"
NAMES = (*LAYOUTS, MULTICHECKLIST)


def get(name: str) -> Benchmark:
    """A benchmark of tasks by name.

    Raises:
        InputError: unknown name.
    """
    if name not in LAYOUTS:
        raise unknown("benchmark", name, NAMES)
    return LAYOUTS[name]


def catalogue_name(benchmark: Benchmark, task: str) -> str:
    """The name of a benchmark's task in the catalogue."""
    return f"{_LEXTREME_PREFIX}{task}" if benchmark is LEXTREME else task
