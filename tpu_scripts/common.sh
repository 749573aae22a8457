# shellcheck shell=bash
# What the scripts share. Each sources it after the comment that is its help, and its positional arguments follow.
set -euo pipefail

fail() {
    echo "error: $*" >&2
    exit 2
}

line=$(sed -n '2s/^[^:]*: //p' "$0") # how the script is called
options="--help"
if [[ $line == *"[--dry-run]"* ]]; then options+=" or --dry-run"; fi
dry_run=""
while [[ ${1-} == --* ]]; do
    [[ " $options " == *" $1 "* ]] || fail "$1: expected $options"
    if [[ $1 == --help ]]; then
        sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
        exit
    fi
    dry_run=1
    shift
done

usage() { # usage NUMBER "$@": fail unless there are as many arguments
    local expected=$1
    shift
    (($# >= expected)) || fail "usage: $line"
    [[ $1 =~ ^[a-z]([a-z0-9-]*[a-z0-9])?$ ]] || fail "NAME: found '$1', expected lower-case letters, digits and hyphens"
}

quoted() { # the words as a shell reads them
    local word between="" quote="'\\''"
    for word in "$@"; do
        [[ $word =~ ^[A-Za-z0-9_@%+=:,./-]+$ ]] || word="'${word//\'/$quote}'"
        printf '%s%s' "$between" "$word"
        between=" "
    done
}

call() { # run a command, or print it
    if [[ $dry_run ]]; then
        quoted "$@"
        echo
    else
        "$@"
    fi
}

vms() { # set `names`: NAME, or NAME-0, NAME-1, ... where COUNT is set
    local number
    names=("$1")
    if [[ ${COUNT-} ]]; then
        [[ $COUNT =~ ^[1-9][0-9]*$ ]] || fail "COUNT: found '$COUNT', expected a positive number"
        names=()
        for ((number = 0; number < COUNT; number++)); do names+=("$1-$number"); done
    fi
}

place() { # set `place`: the options that say where
    place=(--zone="$1")
    if [[ ${PROJECT-} ]]; then place+=(--project="$PROJECT"); fi
}

each() { # call a function with the name of each VM, all at once; fails if one of them does
    local name pid pids=() failed=0
    for name in "${names[@]}"; do
        if [[ $dry_run ]]; then
            "$1" "$name"
        else
            "$1" "$name" &
            pids+=("$!")
        fi
    done
    for pid in ${pids[@]+"${pids[@]}"}; do
        wait "$pid" || failed=1
    done
    return "$failed"
}

on() { # on VM HOST COMMAND: run a command on one host of a VM, or on all
    call gcloud compute tpus tpu-vm ssh "$1" "${place[@]}" --worker="$2" --command="$3"
}

seconds() { # seconds VARIABLE: its duration in seconds
    [[ ${!1} =~ ^([1-9][0-9]*)([smhd])$ ]] || fail "$1: found '${!1}', expected a duration such as 90m, 8h or 2d"
    case ${BASH_REMATCH[2]} in
        s) echo "${BASH_REMATCH[1]}" ;;
        m) echo $((BASH_REMATCH[1] * 60)) ;;
        h) echo $((BASH_REMATCH[1] * 3600)) ;;
        d) echo $((BASH_REMATCH[1] * 86400)) ;;
    esac
}

runtime() { # the runtime version of an accelerator, by its generation
    case $1 in
        v6e-*) echo v2-alpha-tpuv6e ;;
        v5p-*) echo v2-alpha-tpuv5 ;;
        v5litepod-*) echo v2-alpha-tpuv5-lite ;;
        v2-* | v3-* | v4-*) echo tpu-ubuntu2204-base ;;
        *) fail "ACCELERATOR: found '$1', expected v2-N, v3-N, v4-N, v5litepod-N, v5p-N or v6e-N" ;;
    esac
}
