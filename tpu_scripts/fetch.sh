#!/usr/bin/env bash
# Copy a results folder from the first host, without parameters of stages: fetch.sh [--dry-run] NAME ZONE OUT DESTINATION
#
# Enough for `report` and `results` here, also while the study runs. Environment: PROJECT, COUNT as for create.sh.

# shellcheck source=tpu_scripts/common.sh
source "$(dirname "$0")/common.sh"
usage 4 "$@"
vms "$1"
place "$2"
name=${names[0]} destination=$4
exclude="--exclude='./stages/*/*/*' --exclude=./tokens --exclude=./claims"
call mkdir -p "$destination"
# tar ends with 1 where a file changed or went away while it was read.
on "$name" 0 "cd itt_jax && { tar -czf ../results.tar.gz $exclude -C $(quoted "$3") . || [ \$? = 1 ]; }"
call gcloud compute tpus tpu-vm scp "$name:results.tar.gz" "$destination/results.tar.gz" "${place[@]}" --worker=0
call tar -xzf "$destination/results.tar.gz" -C "$destination"
call rm "$destination/results.tar.gz"
