"""Ctrl-C and SIGTERM: a command stops with one line that says how to continue."""

import os
import signal
import sys
import threading

RESEND_SECONDS = 0.1


class Terminated(KeyboardInterrupt):
    """The process was asked to end (SIGTERM)."""


def listen() -> None:
    """Make SIGTERM an exception, and both signals safe from being swallowed."""
    signal.signal(signal.SIGTERM, _terminate)
    sys.unraisablehook = _unraisable


def _terminate(number: int, frame: object) -> None:
    raise Terminated


def _unraisable(found: "sys.UnraisableHookArgs") -> None:
    """Send a signal again whose exception was raised where Python ignores it, such as in a callback of the collector
    of garbage (JAX has one)."""
    if not isinstance(found.exc_value, KeyboardInterrupt):
        return sys.__unraisablehook__(found)
    number = signal.SIGTERM if isinstance(found.exc_value, Terminated) else signal.SIGINT
    threading.Timer(RESEND_SECONDS, os.kill, (os.getpid(), number)).start()
