#!/usr/bin/env bash
# Delete the requests and their VMs, with all that is on their disks: delete.sh [--dry-run] NAME ZONE
#
# Environment: PROJECT, COUNT as for create.sh.

# shellcheck source=tpu_scripts/common.sh
source "$(dirname "$0")/common.sh"
usage 2 "$@"
vms "$1"
place "$2"

remove() {
    call gcloud compute tpus queued-resources delete "$1" "${place[@]}" --force --quiet
}
each remove
