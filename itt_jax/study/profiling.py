"""A trace of a few training steps, for TensorBoard's profiler or Perfetto."""

import pathlib

import jax


class Profile:
    """Traces the steps between the first two reported losses of a run, once.

    Args:
        folder: where the trace is written; None traces nothing.
    """

    def __init__(self, folder: pathlib.Path | None):
        self.folder, self.tracing = folder, False

    def progress(self, values: dict[str, float]) -> None:
        """Start or stop the trace; called with the progress that a stage reports."""
        if "loss" not in values:
            return
        if self.tracing:
            self.stop()
        elif self.folder is not None:
            jax.profiler.start_trace(self.folder)
            self.folder, self.tracing = None, True

    def stop(self) -> None:
        """End the trace, if one is being written; also called at the end of each stage."""
        if self.tracing:
            jax.profiler.stop_trace()
            self.tracing = False
