#!/usr/bin/env bash
# Ask for TPU VMs or pod slices: create.sh [--dry-run] NAME ZONE
#
# The request waits in Google's queue (`watch.sh` says for what) and becomes a VM of the same name. Environment:
#   ACCELERATOR      such as v5litepod-8, or v5litepod-32 for a slice of several hosts
#   PROJECT          of Google Cloud; the one that gcloud is set to by default
#   COUNT            ask for independent VMs, NAME-0, NAME-1, ...; each may come, and go, without the others
#   MODEL            spot (the default; cheapest, may be taken away), standard, or flex-start (7 days at most, no spot)
#   LIFETIME         each VM is deleted after it, whatever runs: such as 90m, 8h, 2d; 12h by default
#   WAIT             the request is dropped after it if it is not met; 24h by default
#   VERSION          of the runtime; that of the accelerator's generation by default
#   SERVICE_ACCOUNT  of the VM; Compute Engine's by default. To delete the VM it needs the role roles/tpu.admin.

# shellcheck source=tpu_scripts/common.sh
source "$(dirname "$0")/common.sh"
usage 2 "$@"
vms "$1"
place "$2"
accelerator=${ACCELERATOR:?set ACCELERATOR, such as v5litepod-8}
version=${VERSION:-$(runtime "$accelerator")}
LIFETIME=${LIFETIME:-12h} WAIT=${WAIT:-24h}
lifetime=$(seconds LIFETIME)
wait=$(seconds WAIT)

gcloud=(gcloud)
case ${MODEL:=spot} in
    # The service ends flex-start VMs. Others end themselves, as it has no limit for them.
    flex-start)
        gcloud+=(alpha)
        ends=(--provisioning-model=flex-start --max-run-duration="${lifetime}s") ;;
    spot | standard)
        ends=(--metadata-from-file=startup-script="$(dirname "$0")/lifetime.sh") ;;
    *) fail "MODEL: found '$MODEL', expected spot, standard or flex-start" ;;
esac
if [[ $MODEL == spot ]]; then ends+=(--spot); fi
if [[ ${SERVICE_ACCOUNT-} ]]; then ends+=(--service-account="$SERVICE_ACCOUNT"); fi

request() {
    local own=()
    if [[ $MODEL != flex-start ]]; then own=(--metadata="queued-resource=$1,lifetime-seconds=$lifetime"); fi
    call "${gcloud[@]}" compute tpus queued-resources create "$1" "${place[@]}" --node-id="$1" \
        --accelerator-type="$accelerator" --runtime-version="$version" --valid-until-duration="${wait}s" \
        --scopes=https://www.googleapis.com/auth/cloud-platform "${ends[@]}" ${own[@]+"${own[@]}"}
}
each request
