"""Writes keyboards.json: adjacent keys on the keyboard of each language, from Debian's `xkb-data`.

    apt-get install xkb-data libxkbcommon0
    python -m itt_jax.perturb.tables.make_keyboards

libxkbcommon resolves every layout from the files of xkb-data; no key is entered by hand. LAYOUTS assigns each language
a layout that xkb-data's list (base.xml) gives for it, choosing among several one for the language's script. Languages
without such a layout (Afrikaans, Basque, Haitian, Quechua; Chinese and Korean, which use Latin keys there; Javanese in
Latin script) have no entry.
"""

import ctypes
import json
import pathlib
import subprocess
import unicodedata

# ISO 639-1 code -> (layout, variant) in xkb-data.
LAYOUTS = {
    "am": ("et", ""), "ar": ("ara", ""), "az": ("az", ""), "be": ("by", ""), "bg": ("bg", ""),
    "bn": ("bd", ""), "ca": ("es", "cat"), "cs": ("cz", ""), "da": ("dk", ""), "de": ("de", ""), "el": ("gr", ""),
    "en": ("us", ""), "es": ("es", ""), "et": ("ee", ""), "fa": ("ir", ""), "fi": ("fi", ""),
    "fr": ("fr", ""), "gu": ("in", "guj"), "he": ("il", ""), "hi": ("in", ""), "hr": ("hr", ""),
    "hu": ("hu", ""), "hy": ("am", ""), "id": ("id", ""), "is": ("is", ""), "it": ("it", ""), "ja": ("jp", "kana"),
    "ka": ("ge", ""), "kk": ("kz", ""), "km": ("kh", ""), "kn": ("in", "kan"), "lo": ("la", ""), "lt": ("lt", ""),
    "lv": ("lv", ""), "mk": ("mk", ""), "ml": ("in", "mal"), "mn": ("mn", ""), "mr": ("in", "marathi"),
    "ms": ("id", ""), "my": ("mm", ""),
    "ne": ("np", ""), "nl": ("nl", ""), "no": ("no", ""), "pa": ("in", "guru"), "pl": ("pl", ""), "pt": ("pt", ""),
    "ro": ("ro", ""), "ru": ("ru", ""), "si": ("lk", ""), "sk": ("sk", ""), "sl": ("si", ""), "sq": ("al", ""),
    "sr": ("rs", ""), "sv": ("se", ""), "sw": ("ke", ""), "ta": ("in", "tam"), "te": ("in", "tel"), "th": ("th", ""),
    "tl": ("ph", ""), "tr": ("tr", ""), "uk": ("ua", ""), "ur": ("pk", ""), "uz": ("uz", "latin"), "vi": ("vn", ""),
    "wo": ("sn", ""), "yo": ("ng", "yoruba"),
}  # fmt: skip
# Key row -> (first evdev key code, number of keys, column of the first key, row), with the usual stagger.
ROWS = {"digits": (10, 12, 0.0, 0), "upper": (24, 12, 0.5, 1), "home": (38, 11, 0.75, 2), "lower": (52, 10, 1.25, 3)}
REACH = 1.3  # in key widths: includes the two or three nearest keys of the rows above and below


class RuleNames(ctypes.Structure):
    """struct xkb_rule_names."""

    _fields_ = [(name, ctypes.c_char_p) for name in ("rules", "model", "layout", "variant", "options")]


def load_library() -> ctypes.CDLL:
    """libxkbcommon, with the signatures of the functions used here."""
    library = ctypes.CDLL("libxkbcommon.so.0")
    for name in ("xkb_context_new", "xkb_keymap_new_from_names"):
        getattr(library, name).restype = ctypes.c_void_p
    library.xkb_keysym_to_utf32.restype = ctypes.c_uint32
    return library


def read_keys(library: ctypes.CDLL, layout: str, variant: str) -> list[dict[tuple[float, int], str]]:
    """The characters at each place (column, row), without and with Shift."""
    context = ctypes.c_void_p(library.xkb_context_new(0))
    names = RuleNames(b"evdev", b"pc105", layout.encode(), variant.encode(), b"")
    keymap = library.xkb_keymap_new_from_names(context, ctypes.byref(names), 0)
    if not keymap:
        raise SystemExit(f"xkb-data has no layout {layout}({variant})")
    levels: list[dict[tuple[float, int], str]] = [{}, {}]
    for first, count, column, row in ROWS.values():
        for i in range(count):
            for level, characters in enumerate(levels):
                symbols = ctypes.POINTER(ctypes.c_uint32)()
                found = library.xkb_keymap_key_get_syms_by_level(
                    ctypes.c_void_p(keymap), first + i, 0, level, ctypes.byref(symbols)
                )
                codepoint = library.xkb_keysym_to_utf32(symbols[0]) if found == 1 else 0
                if codepoint:
                    characters[column + i, row] = chr(codepoint)
    return levels


def kind(character: str) -> tuple[str, str] | None:
    """(category, script) of a letter or digit; None for other characters and compatibility forms (Arabic ligatures)."""
    category = unicodedata.category(character)
    if category not in ("Lu", "Ll", "Lo", "Nd") or unicodedata.normalize("NFKC", character) != character:
        return None
    return category[0], unicodedata.name(character).split()[0]


def neighbours(levels: list[dict[tuple[float, int], str]]) -> dict[str, str]:
    """Letter -> letters of the same script, digit -> digits, on keys within reach, with the same Shift state."""
    beside: dict[str, str] = {}
    for characters in levels:
        for (column, row), character in characters.items():
            near = [
                other
                for (x, y), other in sorted(characters.items(), key=lambda place: place[0][::-1])
                if (x - column) ** 2 + (y - row) ** 2 <= REACH**2 and kind(other) == kind(character)
            ]
            near = [other for other in dict.fromkeys(near) if other != character]
            if kind(character) and near:
                beside.setdefault(character, "".join(near))
    return dict(sorted(beside.items()))


def main() -> None:
    """Write the table."""
    library = load_library()
    query = ["dpkg-query", "-W", "-f", "${Version}", "xkb-data"]
    version = subprocess.run(query, check=True, capture_output=True, text=True).stdout
    provenance = (
        f"Debian xkb-data {version} (MIT/X11 licence, /usr/share/doc/xkb-data/copyright), resolved by "
        "libxkbcommon; see make_keyboards.py"
    )
    layouts = {
        language: {"layout": f"{layout}({variant})", "beside": neighbours(read_keys(library, layout, variant))}
        for language, (layout, variant) in LAYOUTS.items()
    }
    lines = [f"{json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in layouts.items()]
    text = '{"provenance": %s,\n"layouts": {\n%s\n}}\n' % (json.dumps(provenance), ",\n".join(lines))  # noqa: UP031
    pathlib.Path(__file__).with_name("keyboards.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
