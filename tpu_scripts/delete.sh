#!/usr/bin/env bash
# Delete a TPU VM or pod slice: delete.sh NAME ZONE.
set -euo pipefail
name=${1:?usage: delete.sh NAME ZONE} zone=${2:?usage: delete.sh NAME ZONE}
gcloud compute tpus tpu-vm delete "$name" --zone "$zone" --quiet
