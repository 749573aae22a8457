"""Speed of perturbation (codepoints, text, token ids), peak memory, and the edits that each tokenizer sees."""

import functools
import itertools
import pathlib
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np

from itt_jax.bench import Request, peers
from itt_jax.bench.material import Sentences, sentences
from itt_jax.bench.measure import aims_table, alternating, heading, peak_memory, table, verdicts
from itt_jax.bench.survival import survival
from itt_jax.bench.tokens import token_ids
from itt_jax.perturb import CATALOG, compiled, perturb
from itt_jax.perturb.engine import applied, blocks, line_ids
from itt_jax.perturb.noise import Noise, hash_strings, text_keys
from itt_jax.perturb.operator import Operator
from itt_jax.perturb.text import from_strings
from itt_jax.perturb.units import Document
from itt_jax.ragged import Ragged

REPEATS, SENTENCES = 5, 20_000
SEVERITY = 0.1
PEER_SHARE = 0.1  # share of the sentences given to the peer, which is much slower
STREAMED = 50  # times the sentences are repeated for the memory figure: a million by default
# Aims on two processors: sentences/s, ratio to nlpaug, share of the ceiling, ratio to nlpaug + encode_batch, MiB.
CODEPOINT_AIM, TEXT_AIM, CEILING_AIM, TOKEN_AIM, MEMORY_AIM = 1e6, 60, 0.7, 5, 1024


def measure(request: Request) -> dict:
    """The figures of this bench."""
    material = sentences(request.data_root, request.sentences or SENTENCES)
    compiled.kernels(compiled.PLAIN + 1)  # loads them before anything is timed
    figures = {
        "material": {
            "name": material.name,
            "languages": list(material.sentences),
            "sentences": material.count,
            "codepoints_per_sentence": material.codepoints / material.count,
        },
        "severity": SEVERITY,
        "operators": [operator_speed(name, material, request.repeats) for name in CATALOG if languages(name, material)],
        "nlpaug": peer_speed(material, request.repeats) if peers.installed() else peers.ABSENT,
        "token_ids": token_ids(request, material, SEVERITY, PEER_SHARE),
        "memory": streamed_memory(material),
        "survival": survival(request, material),
    }
    return figures | {"aims": aims(figures)}


def languages(name: str, material: Sentences) -> list[str]:
    """The languages of the material that the operator supports."""
    return [language for language in material.sentences if language in CATALOG[name].languages]


def edited(operator: Operator, language: str, text: Ragged, hashes: np.ndarray, severity: float) -> list[tuple]:
    """The engine's result for each block of texts; see `itt_jax.perturb.engine.applied`."""
    keys = text_keys(hashes, 0, "text", operator.name, operator.version, 0)

    found = []
    for block, part in blocks(text):
        document = Document(part, None, language)
        found.append(applied(document, operator.function(document, Noise(keys[block], document), severity), False))
    return found


def operator_speed(name: str, material: Sentences, repeats: int) -> dict:
    """Sentences per second of one operator, as codepoints and as text through `perturb`."""
    among = languages(name, material)
    texts = {language: material.sentences[language] for language in among}
    count = sum(map(len, texts.values()))
    arrays = [(language, from_strings(own), hash_strings(line_ids(1, len(own)))) for language, own in texts.items()]
    for language in among:
        perturb(texts[language][:50], name, SEVERITY, language)  # so that no table is read while being timed
    timings = alternating(
        {
            "codepoints": lambda: [edited(CATALOG[name], *one, SEVERITY) for one in arrays],
            "text": lambda: [perturb(own, name, SEVERITY, language) for language, own in texts.items()],
        },
        repeats,
    )
    row: dict[str, Any] = {"operator": name, "family": CATALOG[name].family, "languages": len(among)}
    row |= {kind: timing.rates(count) for kind, timing in timings.items()}
    if CATALOG[name].family == "character":
        row["codepoints"]["ratio"] = row["codepoints"]["per_second"] / CODEPOINT_AIM
    return row


def peer_speed(material: Sentences, repeats: int) -> list[dict]:
    """Ours through `perturb` and nlpaug, in turns, in the languages that both have."""
    rows = []
    for name in peers.OPERATORS:
        among = peers.languages(name, languages(name, material))
        ours, theirs = material.head(among, 1.0), material.head(among, PEER_SHARE)
        augment = {language: peers.augmenter(name, SEVERITY, language) for language in among}
        works = {
            "ours": functools.partial(through_perturb, ours, name),
            "peer": functools.partial(through_augmenters, theirs, augment),
        }
        timings = alternating(works, repeats)
        own = timings["ours"].rates(sum(map(len, ours.values())))
        other = timings["peer"].rates(sum(map(len, theirs.values())))
        rows.append({"operator": name, "languages": among, "ours": own, "peer": other} | ratios(own, other))
    return rows


def through_perturb(texts: dict[str, list[str]], name: str) -> None:
    """Perturb all texts with the public function."""
    for language, own in texts.items():
        perturb(own, name, SEVERITY, language)


def through_augmenters(texts: dict[str, list[str]], augment: dict) -> None:
    """Perturb all texts with the peer."""
    for language, own in texts.items():
        augment[language](own)


def ratios(own: dict[str, float], other: dict[str, float]) -> dict[str, float]:
    """Our rate over the other, by elapsed time and by CPU time."""
    return {
        "ratio": own["per_second"] / other["per_second"],
        "ratio_processor": own["per_processor_second"] / other["per_processor_second"],
    }


def streamed_memory(material: Sentences) -> dict:
    """Peak MiB of a process that perturbs many sentences through the filter."""
    texts = [text.replace("\n", " ") for own in material.sentences.values() for text in own]
    with tempfile.TemporaryDirectory() as folder:
        source, out = pathlib.Path(folder) / "in.txt", pathlib.Path(folder) / "out.txt"
        with source.open("w", encoding="utf-8") as file:
            file.writelines(f"{text}\n" for text in itertools.chain.from_iterable(itertools.repeat(texts, STREAMED)))
        names = f"pathlib.Path({str(source)!r}), pathlib.Path({str(out)!r})"
        peak = peak_memory(
            "import pathlib\nfrom itt_jax.perturb.filter import perturb_lines\n"
            f"perturb_lines({names}, 'substitute', {SEVERITY}, 'en')\n"
        )
    return {"sentences": len(texts) * STREAMED, "peak_mib": peak, "ratio": peak / MEMORY_AIM}


def aims(figures: dict) -> list[dict]:
    """Each aim with the value reached; of several figures, the one furthest from the aim."""
    characters = [row["codepoints"] for row in figures["operators"] if row["family"] == "character"]
    found = [
        ("character operators, sentences/s as codepoints", min(row["per_second"] for row in characters), CODEPOINT_AIM)
    ]
    found.append(
        ("the same per second of CPU time", min(row["per_processor_second"] for row in characters), CODEPOINT_AIM)
    )
    if isinstance(figures["nlpaug"], list):
        found.append(("text, times nlpaug", min(row["ratio"] for row in figures["nlpaug"]), TEXT_AIM))
    if isinstance(figures["token_ids"], list):
        rows = figures["token_ids"]
        found.append(("token ids, share of the ceiling", min(row["ratio_ceiling"] for row in rows), CEILING_AIM))
        if peers.installed():
            found.append(("token ids, times nlpaug + encode_batch", min(row["ratio"] for row in rows), TOKEN_AIM))
    peak = figures["memory"]["peak_mib"]
    return [
        *verdicts(found),
        {"aim": "peak MiB, streamed", "value": peak, "target": MEMORY_AIM, "met": peak <= MEMORY_AIM},
    ]


def text(figures: dict) -> str:
    """The figures as tables."""
    material, memory = figures["material"], figures["memory"]

    def part(name: str, shape: Callable[[list[dict]], str]) -> str:
        """The table, or the reason why there is none."""
        return f"{name}: {figures[name] if isinstance(figures[name], str) else shape(figures[name])}"

    parts = [
        heading(figures),
        f"{material['name']}: {material['sentences']} sentences, {material['codepoints_per_sentence']:.1f} codepoints "
        f"on average, {' '.join(material['languages'])}; severity {figures['severity']}",
        operators_table(figures["operators"]),
        part("nlpaug", peers_table),
        part("token_ids", ids_table),
        f"memory: {memory['peak_mib']:.0f} MiB at peak for {memory['sentences']} streamed sentences",
        part("survival", survival_table),
        aims_table(figures),
    ]
    return "\n\n".join(parts)


def operators_table(rows: list[dict]) -> str:
    """Each operator's rates."""
    headers = ["operator", "languages", "codepoints: sentences/s", "per CPU s", "text: sentences/s", "per CPU s"]
    kinds = ("codepoints", "text")
    rates = ("per_second", "per_processor_second")
    return table(headers, [[r["operator"], r["languages"], *(r[k][m] for k in kinds for m in rates)] for r in rows])


def peers_table(rows: list[dict]) -> str:
    """Our rates and nlpaug's."""
    headers = ["operator", "ours: sentences/s", "nlpaug", "ratio", "CPU time ratio"]
    cells = [
        [r["operator"], r["ours"]["per_second"], r["peer"]["per_second"], r["ratio"], r["ratio_processor"]]
        for r in rows
    ]
    return "sentences/s to text\n" + table(headers, cells)


def ids_table(rows: list[dict]) -> str:
    """Our rates, the ceiling and the peer's rates."""
    keys = {
        "tokenizer": "tokenizer",
        "operator": "operator",
        "new chunks/sentence": "new_chunks_per_sentence",
        "forms/s": "forms_per_second",
        "ceiling sentences/s": "ceiling",
        "ours": "ours",
        "share of the ceiling": "ratio_ceiling",
        "share of its CPU time": "ratio_ceiling_processor",
        "nlpaug + encode_batch": "peer",
        "ratio": "ratio",
    }
    return "sentences/s to ids\n" + table(list(keys), [[row.get(key) for key in keys.values()] for row in rows])


def survival_table(rows: list[dict]) -> str:
    """One column per tokenizer."""
    tokenizers = list(dict.fromkeys(name for row in rows for name in row["share"]))
    cells = [[row["operator"], row["edits"], *(row["share"].get(name) for name in tokenizers)] for row in rows]
    return "share of single edits after which the ids differ\n" + table(["operator", "edits", *tokenizers], cells)
