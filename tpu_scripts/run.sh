#!/usr/bin/env bash
# Run an itt_jax command on every host in the background: run.sh NAME ZONE COMMAND [ARGUMENT ...].
set -euo pipefail
name=${1:?usage: run.sh NAME ZONE COMMAND ...} zone=${2:?usage: run.sh NAME ZONE COMMAND ...}
shift 2
printf -v arguments '%q ' "$@"
gcloud compute tpus tpu-vm ssh "$name" --zone "$zone" --worker=all --command \
    "cd itt_jax && nohup .venv/bin/python -m itt_jax.main $arguments > run.log 2>&1 < /dev/null &"
