"""Names of encoders, arms and targets, which may hold any character, as Markdown takes them."""

import re

_MARKDOWN = re.compile(r"[\\`|$*]|(?<!\w)_|_(?!\w)|<(?=[A-Za-z/!?])|&(?=#?\w+;)|\](?=\()|~(?=~)")


def as_markdown(text: str) -> str:
    """Text as one line of Markdown that shows it unchanged; underscores within words need no escape.

    >>> as_markdown("a|b matched_steps $x$")
    'a\\\\|b matched_steps \\\\$x\\\\$'
    """
    return _MARKDOWN.sub(r"\\\g<0>", " ".join(text.split()))
