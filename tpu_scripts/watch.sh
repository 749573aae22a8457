#!/usr/bin/env bash
# Follow the event log of a run on the first host: watch.sh NAME ZONE OUT.
set -euo pipefail
name=${1:?usage: watch.sh NAME ZONE OUT} zone=${2:?usage: watch.sh NAME ZONE OUT} out=${3:?usage: watch.sh NAME ZONE OUT}
gcloud compute tpus tpu-vm ssh "$name" --zone "$zone" --worker=0 --command "tail -n 20 -F '$out/log.jsonl'"
