"""Names of encoders, arms and targets, which may hold any character, as files, Markdown and figures take them."""

import hashlib
import re

MOST_CHARACTERS = 40  # of a file's name, so that prefix, digest and suffix fit any file system

_MARKDOWN = re.compile(r"[\\`|$*]|(?<!\w)_|_(?!\w)|<(?=[A-Za-z/!?])|&(?=#?\w+;)|\](?=\()|~(?=~)")


def file_name(name: str) -> str:
    """A file's name: the name itself if it is short and plain, else its plain part with a digest of the whole."""
    plain = re.sub(r"[^\w.-]", "_", name, flags=re.ASCII)
    if plain == name and len(name) <= MOST_CHARACTERS:
        return name
    return f"{plain[:MOST_CHARACTERS]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def as_markdown(text: str) -> str:
    """Text as one line of Markdown that shows it unchanged; underscores within words need no escape.

    >>> as_markdown("a|b matched_steps $x$")
    'a\\\\|b matched_steps \\\\$x\\\\$'
    """
    return _MARKDOWN.sub(r"\\\g<0>", " ".join(text.split()))


def as_label(name: str) -> str:
    """A label of a figure; Matplotlib leaves labels with a leading underscore out of legends."""
    return f" {name}" if name.startswith("_") else name
