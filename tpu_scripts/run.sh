#!/usr/bin/env bash
# Run a command of itt_jax in the background: run.sh [--dry-run] NAME ZONE COMMAND [ARGUMENT ...]
#
# `run` starts on every host of every VM. The hosts of a slice work as one (--distributed is added). Independent VMs
# (COUNT) drain one plan: with --share gs://BUCKET/PREFIX each of them has an --out on its own disk; without it, all of
# them need to see --out. {} in an argument is the number at the end of the VM's name: 3 on itt-3. Other commands start on
# the first host of the first VM. Output is added to itt_jax/run.log there. A host whose last command still runs is left
# alone, and is an error. Called again, it continues. Environment: PROJECT, COUNT as for create.sh.

# shellcheck source=tpu_scripts/common.sh
source "$(dirname "$0")/common.sh"
usage 3 "$@"
vms "$1"
place "$2"
shift 2
host=0
if [[ $1 == run ]]; then
    host=all
    set -- "$@" --distributed
else
    names=("${names[0]}")
fi
# The log is locked until the last process that writes to it ends. In the background is that process alone: a list of
# commands there would keep the connection open.
# shellcheck disable=SC2016 # expanded on the host
log='exec 9>> run.log && { flock -n 9 || { echo "error: $(hostname): the last command still runs" >&2; exit 1; }; }'
command="cd itt_jax && $log && { nohup .venv/bin/python -m itt_jax.main $(quoted "$@") >&9 2>&1 < /dev/null & }"

start() {
    local own=$command
    if [[ $1 =~ -([0-9]+)$ ]]; then own=${command//\{\}/${BASH_REMATCH[1]}}; fi
    on "$1" "$host" "$own"
}
each start
