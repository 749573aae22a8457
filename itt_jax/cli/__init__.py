"""The commands, one module each: its arguments, one call into the library, printing.

A command module has SUMMARY (one line for --help), `add_arguments(parser)` and `run(options) -> exit code`. Slow
imports are made in `run`, so that --help answers at once.
"""
