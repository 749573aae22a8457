#!/usr/bin/env bash
# Copy this checkout to every host of a TPU VM and install it: setup.sh NAME ZONE.
set -euo pipefail
name=${1:?usage: setup.sh NAME ZONE} zone=${2:?usage: setup.sh NAME ZONE}
root=$(cd "$(dirname "$0")/.." && pwd)
archive=$(mktemp --suffix .tar.gz)
trap 'rm -f "$archive"' EXIT
git -C "$root" archive --format tar.gz --output "$archive" HEAD
gcloud compute tpus tpu-vm scp "$archive" "$name:itt_jax.tar.gz" --zone "$zone" --worker=all
gcloud compute tpus tpu-vm ssh "$name" --zone "$zone" --worker=all --command \
    'mkdir -p itt_jax && tar -xzf itt_jax.tar.gz -C itt_jax && cd itt_jax && python3 -m venv .venv && .venv/bin/pip install -q -e . "jax[tpu]"'
