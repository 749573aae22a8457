"""The command line: builds the parser and turns errors into exit codes."""

import argparse
import errno
import shlex
import sys
from collections.abc import Callable, Sequence

from itt_jax.cli import (
    attack,
    bench,
    certify,
    config,
    convert,
    evaluate,
    export,
    list,
    merge,
    perturb,
    plan,
    report,
    results,
    run,
    score,
    watch,
)
from itt_jax.cli.stopping import Terminated, hush, leave, leave_after, listen
from itt_jax.errors import InputError, NotFiniteError, SharingError, StageError

COMMANDS = (
    run,
    plan,
    config,
    watch,
    report,
    results,
    merge,
    list,
    perturb,
    evaluate,
    attack,
    certify,
    score,
    bench,
    convert,
    export,
)
CONTINUED = (run, evaluate, attack, certify)
"""Commands that continue from the point at which they were stopped."""
NO_PLACE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG}
DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class _Parser(argparse.ArgumentParser):
    """Reports a wrong command line in one line, like any other wrong input."""

    def error(self, message: str):
        raise InputError(f"{message} (see {self.prog} --help)")


def parser() -> argparse.ArgumentParser:
    """The whole command line; building it imports nothing heavy."""
    top = _Parser(
        prog="python -m itt_jax.main",
        description="Does intermediate-task training make cross-lingual transfer robust? "
        "Without a command: the quickstart study, then its report.",
    )
    commands = top.add_subparsers(metavar="COMMAND")
    for module in COMMANDS:
        name = module.__name__.rpartition(".")[2]
        command = commands.add_parser(name, help=module.SUMMARY, description=module.SUMMARY)
        module.add_arguments(command)
        command.set_defaults(command=module.run)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; without any, `run`, whose default is the quickstart.

    Returns:
        the exit code: 0 done; 1 scores that are not finite, stages that failed, a full disk or a shared folder out of
        reach, 2 wrong input, 130 interrupted, 143 terminated (each with one line on standard error). Any other error is
        raised.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    command = None
    try:
        options = parser().parse_args(arguments or ["run"])
        command = vars(options).pop("command")
        return command(options)
    except (InputError, NotFiniteError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2 if isinstance(error, InputError) else 1
    except (SharingError, StageError) as error:
        print(f"error: {error}{_how_to_continue(command, arguments)}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Whoever reads our output (such as `head`) is gone and has what it wants.
        sys.stdout = None
        return 0
    except OSError as error:
        if not (error.errno in DISK_FULL or (error.errno in NO_PLACE and error.filename)):
            raise
        where = f"{error.filename}: " if error.filename else ""
        print(f"error: {where}{error.strerror}{_how_to_continue(command, arguments)}", file=sys.stderr)
        return 1 if error.errno in DISK_FULL else 2
    except KeyboardInterrupt as stop:
        hush()
        how, code = ("terminated", 143) if isinstance(stop, Terminated) else ("interrupted", 130)
        print(f"\n{how}{_how_to_continue(command, arguments)}", file=sys.stderr)
        return code


def _how_to_continue(command: Callable | None, arguments: Sequence[str]) -> str:
    """The rest of a line that says why a command has stopped; empty for one that begins anew each time."""
    if command not in [module.run for module in CONTINUED]:
        return ""
    return f". Finished work is kept; to continue: {shlex.join(['python', '-m', 'itt_jax.main', *arguments])}"


def run_and_exit() -> None:
    """Entry point of the installed command."""
    listen()
    try:
        code = main()
    except Exception as error:
        return leave_after(error)
    leave(code)


if __name__ == "__main__":
    run_and_exit()
