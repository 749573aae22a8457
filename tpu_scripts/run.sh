#!/usr/bin/env bash
# Run an itt_jax command in the background: run.sh NAME ZONE COMMAND [ARGUMENT ...]. The hosts of a slice share one `run`;
# other commands run on the first host.
set -euo pipefail
name=${1:?usage: run.sh NAME ZONE COMMAND ...} zone=${2:?usage: run.sh NAME ZONE COMMAND ...}
shift 2
worker=0
if [[ $1 == run ]]; then
    worker=all
    set -- "$@" --distributed
fi
printf -v arguments '%q ' "$@"
gcloud compute tpus tpu-vm ssh "$name" --zone "$zone" --worker="$worker" --command \
    "cd itt_jax && nohup .venv/bin/python -m itt_jax.main $arguments > run.log 2>&1 < /dev/null &"
