#!/usr/bin/env bash
# Run a command of itt_jax in the background: run.sh [--dry-run] NAME ZONE COMMAND [ARGUMENT ...]
#
# `run` starts on every host of every VM. The hosts of a slice work as one (--distributed is added); independent VMs
# (COUNT) share the plan of the folder that --out names, if all of them see it; {} in an argument is the number of the VM,
# for those that do not. Other commands start on the first host of the first VM. Output goes to itt_jax/run.log there.
# Called again, it continues. Environment: PROJECT, COUNT as for create.sh.

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
command="cd itt_jax && nohup .venv/bin/python -m itt_jax.main $(quoted "$@") > run.log 2>&1 < /dev/null &"

start() {
    local own=$command
    if [[ ${COUNT-} ]]; then own=${command//\{\}/${1##*-}}; fi
    on "$1" "$host" "$own"
}
each start
