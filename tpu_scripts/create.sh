#!/usr/bin/env bash
# Create a TPU VM or pod slice: create.sh NAME ZONE. Environment: PROJECT, ACCELERATOR, VERSION; SPOT=1 for a spot VM.
set -euo pipefail
name=${1:?usage: create.sh NAME ZONE} zone=${2:?usage: create.sh NAME ZONE}
gcloud compute tpus tpu-vm create "$name" --zone "$zone" --project "${PROJECT:?set PROJECT}" \
    --accelerator-type "${ACCELERATOR:?set ACCELERATOR, such as v5litepod-8}" \
    --version "${VERSION:?set VERSION, such as v2-alpha-tpuv5-lite}" ${SPOT:+--spot}
