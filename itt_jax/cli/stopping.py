"""Ends commands: Ctrl-C and SIGTERM give one line that says how to continue, and no process waits for others."""

import os
import signal
import sys
import threading
import traceback
import types
import warnings

RESEND_SECONDS = 0.1


class Terminated(KeyboardInterrupt):
    """The process was asked to end (SIGTERM)."""


def listen() -> None:
    """Turn SIGTERM into an exception, and keep both signals from being swallowed."""
    signal.signal(signal.SIGTERM, _terminate)
    sys.unraisablehook = _unraisable


def _terminate(number: int, frame: object) -> None:
    raise Terminated


def hush() -> None:
    """Suppress further output: a signal during Orbax's writing leaves a half-made event loop and coroutines, which
    warn."""
    if sys.unraisablehook is _unraisable:  # only in a process that listens for signals and is about to end
        sys.unraisablehook = lambda found: None
        warnings.simplefilter("ignore")


def _unraisable(found: "sys.UnraisableHookArgs") -> None:
    """Send a signal again if its exception was raised where Python ignores it, such as in a garbage-collector callback
    (JAX has one). Ignore errors of Orbax's other writers once one of them has failed."""
    if isinstance(found.exc_value, RuntimeError) and str(found.exc_value) == "Event loop is closed":
        return None
    if not isinstance(found.exc_value, KeyboardInterrupt):
        return sys.__unraisablehook__(found)
    number = signal.SIGTERM if isinstance(found.exc_value, Terminated) else signal.SIGINT
    threading.Timer(RESEND_SECONDS, os.kill, (os.getpid(), number)).start()


def leave(code: int) -> None:
    """End the process. With an error, one of several processes ends at once: Python's exit would wait."""
    if code and (processes := _joined()):
        processes.leave(code)
    sys.exit(code)


def leave_after(error: Exception) -> None:
    """End the process after an error that no command expects.

    Raises:
        Exception: the error, if the process is alone.
    """
    processes = _joined()
    if processes is None:
        raise error
    processes.await_notice(error)
    traceback.print_exception(error)
    processes.leave(1)


def _joined() -> types.ModuleType | None:
    """The module that ends one of several processes; None if the process is alone (JAX may not even be imported)."""
    if "jax" not in sys.modules:
        return None
    from itt_jax.train import processes

    return processes if processes.are_several() else None
