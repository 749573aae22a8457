"""How a command ends: by Ctrl-C and SIGTERM in one line that says how to continue, and never waiting for others."""

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
    """Make SIGTERM an exception, and both signals safe from being swallowed."""
    signal.signal(signal.SIGTERM, _terminate)
    sys.unraisablehook = _unraisable


def _terminate(number: int, frame: object) -> None:
    raise Terminated


def hush() -> None:
    """Say nothing more: a signal that comes while Orbax writes leaves an event loop half made, and coroutines."""
    if sys.unraisablehook is _unraisable:  # the process listens, and so ends
        sys.unraisablehook = lambda found: None
        warnings.simplefilter("ignore")


def _unraisable(found: "sys.UnraisableHookArgs") -> None:
    """Send a signal again whose exception was raised where Python ignores it, such as in a callback of the collector
    of garbage (JAX has one). Of Orbax's writers, those that are at work when one of them fails are no news."""
    if isinstance(found.exc_value, RuntimeError) and str(found.exc_value) == "Event loop is closed":
        return None
    if not isinstance(found.exc_value, KeyboardInterrupt):
        return sys.__unraisablehook__(found)
    number = signal.SIGTERM if isinstance(found.exc_value, Terminated) else signal.SIGINT
    threading.Timer(RESEND_SECONDS, os.kill, (os.getpid(), number)).start()


def leave(code: int) -> None:
    """End the process; with an error, at once where it is one of several, for which Python's exit would wait."""
    if code and (processes := _joined()):
        processes.leave(code)
    sys.exit(code)


def leave_after(error: Exception) -> None:
    """End the process by an error that no command expects.

    Raises:
        Exception: the error, where the process is alone.
    """
    processes = _joined()
    if processes is None:
        raise error
    processes.await_notice(error)
    traceback.print_exception(error)
    processes.leave(1)


def _joined() -> types.ModuleType | None:
    """What ends one of several processes; None where the process is alone, and JAX may not even be imported."""
    if "jax" not in sys.modules:
        return None
    from itt_jax.train import processes

    return processes if processes.are_several() else None
