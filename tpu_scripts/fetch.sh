#!/usr/bin/env bash
# Copy a results folder from the first host, without parameters of stages: fetch.sh NAME ZONE OUT DESTINATION.
set -euo pipefail
usage="usage: fetch.sh NAME ZONE OUT DESTINATION"
name=${1:?$usage} zone=${2:?$usage} out=${3:?$usage} destination=${4:?$usage}
mkdir -p "$destination"
gcloud compute tpus tpu-vm ssh "$name" --zone "$zone" --worker=0 --command \
    "tar -czf results.tar.gz -C '$out' --exclude=stages --exclude=claims ."
gcloud compute tpus tpu-vm scp "$name:results.tar.gz" "$destination/results.tar.gz" --zone "$zone" --worker=0
tar -xzf "$destination/results.tar.gz" -C "$destination"
rm "$destination/results.tar.gz"
