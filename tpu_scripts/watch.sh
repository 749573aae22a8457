#!/usr/bin/env bash
# Show the state of each request, the last lines of each VM, and follow the study: watch.sh [--dry-run] NAME ZONE [OUT]
#
# Without OUT, the results folder on the hosts, only the states of the requests. The first VM that has a log follows the
# study until all of it is done: with --share, by the workers on all VMs. Environment: PROJECT, COUNT as for create.sh.

# shellcheck source=tpu_scripts/common.sh
source "$(dirname "$0")/common.sh"
usage 2 "$@"
vms "$1"
place "$2"
found=""
for name in "${names[@]}"; do
    if call gcloud compute tpus queued-resources describe "$name" "${place[@]}" \
        --format="value(name.basename(), state.state)"; then found=1; else echo "$name: no request"; fi
done
[[ $found ]] || exit 1
if [[ ${3-} ]]; then
    first=""
    for name in "${names[@]}"; do
        if on "$name" 0 "tail -n 3 itt_jax/run.log"; then first=${first:-$name}; else echo "$name: no VM, or no log there"; fi
    done
    [[ $first ]] || exit 1
    on "$first" 0 "cd itt_jax && .venv/bin/python -m itt_jax.main watch --out $(quoted "$3")"
fi
