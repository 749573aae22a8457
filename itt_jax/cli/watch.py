"""`watch`: shows in the terminal what the workers on a results folder are doing."""

import argparse
import json
import time

from itt_jax.cli.options import add_json, path
from itt_jax.errors import InputError

SUMMARY = "Show what is done, who works on what, speed, failures and time left of a results folder; changes nothing."
REFRESH_SECONDS = 2
LINE_WIDTH, LINE_SECONDS = 140, 20
"""Width in characters, and seconds between two lines, without a terminal."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--out", type=path, required=True, help="results folder of `run` or `evaluate`")
    parser.add_argument("--once", action="store_true", help="show it once and end")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Show the folder once, or again and again until everything is done."""
    from rich.console import Console

    from itt_jax.monitor import Watcher, shown

    if options.json and not options.once:
        raise InputError("--json: goes with --once")
    watcher, console = Watcher(options.out), Console()
    if not console.is_terminal:
        console.width = LINE_WIDTH
    if not options.once:
        _follow(watcher, console)
        return 0
    status = watcher.look()
    if options.json:
        print(json.dumps({"done": False} if status is None else status.as_dict(), indent=1))
    elif status is None:
        print(_absent(options.out))
    else:
        console.print(shown(status))
    return 0


def _follow(watcher, console) -> None:
    """Draw the folder until everything is done or the user stops; without a terminal, print a line now and then."""
    from rich.live import Live
    from rich.text import Text

    from itt_jax.monitor import line, shown

    with Live(console=console, auto_refresh=False, transient=False) as live:
        done, said = False, None
        while not done:
            drawn, text = None, ""
            watcher.check()
            try:
                status = watcher.look()
                done = status is not None and status.is_done
                text = _absent(watcher.store.out) if status is None else line(status)
                drawn = None if status is None else shown(status)
                said = None
            except InputError as error:  # perhaps it is being written
                if str(error) == said:
                    raise
                said = str(error)
                text = f"error: {error}"
            if console.is_terminal:
                live.update(drawn or Text(text), refresh=True)
            else:
                print(text, flush=True)
            if not done:
                time.sleep(REFRESH_SECONDS if console.is_terminal else LINE_SECONDS)


def _absent(out) -> str:
    return f"{out}: {'no plan yet' if out.is_dir() else 'not there yet'}; waiting for a study"
