#!/usr/bin/env bash
# Show the state of each request, the last lines of each VM, and follow the study: watch.sh [--dry-run] NAME ZONE [OUT]
#
# Without OUT, the results folder on the hosts, only the states of the requests. Environment: PROJECT, COUNT as for
# create.sh.

# shellcheck source=tpu_scripts/common.sh
source "$(dirname "$0")/common.sh"
usage 2 "$@"
vms "$1"
place "$2"
for name in "${names[@]}"; do
    call gcloud compute tpus queued-resources describe "$name" "${place[@]}" --format="value(name.basename(), state.state)"
done
if [[ ${3-} ]]; then
    for name in "${names[@]}"; do
        on "$name" 0 "tail -n 3 itt_jax/run.log" || echo "$name: no VM yet, or no longer"
    done
    on "${names[0]}" 0 "cd itt_jax && .venv/bin/python -m itt_jax.main watch --out $(quoted "$3")"
fi
