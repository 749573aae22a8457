#!/usr/bin/env bash
# Startup script of VMs that `create.sh` asks for: lifetime.sh [DEADLINE_FILE]
#
# Runs as root on every host, at every start of it, and has the queued resource deleted, its VMs with it, once its
# lifetime is over. The first start decides when that is.
set -euo pipefail
deadline=${1:-/var/lib/itt_jax-deadline}

metadata() {
    curl -sf --retry 20 --retry-all-errors --retry-delay 5 -H "Metadata-Flavor: Google" \
        "http://metadata.google.internal/computeMetadata/v1/$1"
}

seconds=$(metadata instance/attributes/lifetime-seconds)
name=$(metadata instance/attributes/queued-resource)
zone=$(metadata instance/zone)
project=$(metadata project/project-id)
[[ -s $deadline ]] || echo $(($(date +%s) + seconds)) > "$deadline"
left=$(($(< "$deadline") - $(date +%s)))
delete="gcloud compute tpus queued-resources delete $name --zone=${zone##*/} --project=$project --force --quiet"
systemd-run --unit=itt_jax-lifetime --on-active="$((left > 0 ? left : 1))s" --setenv=PATH="$PATH:/snap/bin" \
    /bin/bash -c "until $delete; do sleep 60; done"
