#!/usr/bin/env bash
# Copy this checkout (its last commit) to every host and install it: setup.sh [--dry-run] NAME ZONE
#
# Python 3.11, JAX and everything else in the versions of constraints.txt, whatever the image brings. May be called again
# after a commit; results stay. Fails where the guard of the VM's lifetime does not run. Environment: PROJECT, COUNT as
# for create.sh.

# shellcheck source=tpu_scripts/common.sh
source "$(dirname "$0")/common.sh"
usage 2 "$@"
vms "$1"
place "$2"
# shellcheck disable=SC2016 # expanded on the host
install='set -e
metadata=http://metadata.google.internal/computeMetadata/v1/instance/attributes/lifetime-seconds
status=$(curl -s -o /dev/null -w "%{http_code}" -H "Metadata-Flavor: Google" "$metadata") || true
if [ "$status" != 404 ] && ! systemctl -q is-active itt_jax-lifetime.timer; then
    echo "error: $(hostname): nothing would end this VM: see sudo journalctl -u google-startup-scripts" >&2
    exit 1
fi
mkdir -p itt_jax
rm -rf itt_jax/itt_jax
tar -xzf itt_jax.tar.gz -C itt_jax
cd itt_jax
curl -LsSf https://astral.sh/uv/0.13.8/install.sh | sh > /dev/null
~/.local/bin/uv venv -q --clear --python 3.11 .venv
~/.local/bin/uv pip install -q --python .venv -c tpu_scripts/constraints.txt -e ".[gcs]" "jax[tpu]"
.venv/bin/python -c "import jax; print(\"JAX\", jax.__version__)"'

folder=${TMPDIR:-/tmp}/itt_jax-$1
call mkdir -m 700 "$folder"
trap 'call rm -r "$folder"' EXIT
archive=$folder/itt_jax.tar.gz
call git -C "$(dirname "$0")/.." archive --format=tar.gz --output="$archive" HEAD

set_up() {
    call gcloud compute tpus tpu-vm scp "$archive" "$1:itt_jax.tar.gz" "${place[@]}" --worker=all
    on "$1" all "$install"
}
each set_up
