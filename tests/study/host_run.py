"""`run` for test_hosts, as a script in each of several processes: CONFIG OUT ADDRESS COUNT INDEX."""

import sys

import jax

from itt_jax import files, main
from itt_jax.cli import run
from itt_jax.store import Store
from itt_jax.train import processes


def refuse(*given):
    raise AssertionError(f"a process that is not the first writes {given}")


if __name__ == "__main__":
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_num_cpu_devices", 1)
    processes.HEARTBEAT_SECONDS = processes.NOTICE_SECONDS = 4
    run._report = lambda results, as_json: print("made", results.made, "of", results.cells)
    config, out, *place = sys.argv[1:]
    if place[-1] != "0":
        files.temporary = Store.log = refuse
    sys.argv[1:] = ["run", "--config", config, "--out", out, "--distributed", *place]
    main.run_and_exit()
