#!/usr/bin/env bash
# Print a SkyPilot task that runs a command of itt_jax: skypilot.sh NAME COMMAND [ARGUMENT ...]
#
#   ACCELERATOR=v5litepod-8 tpu_scripts/skypilot.sh itt run --config x.py --out runs/x --share gs://b/x > itt.yaml
#   sky jobs launch itt.yaml
#
# A managed job: on losing its VM it gets another and continues with what --share has. Launched several times, the jobs
# drain one plan. Environment:
#   ACCELERATOR  a TPU as for create.sh, or a GPU as SkyPilot names it, such as H100:8
#   BUCKET       of Cloud Storage or S3, mounted at /results, for data and what a job leaves there
#   MODEL        spot (the default) or standard
#   LIFETIME     the command ends after it, counted anew on each VM that it gets: such as 90m, 8h, 2d; 12h by default
#   VERSION      of a TPU's runtime; that of the accelerator's generation by default

# shellcheck source=tpu_scripts/common.sh
source "$(dirname "$0")/common.sh"
usage 2 "$@"
name=$1 accelerator=${ACCELERATOR:?set ACCELERATOR, such as v5litepod-8 or H100:8}
shift
LIFETIME=${LIFETIME:-12h} MODEL=${MODEL:-spot}
lifetime=$(seconds LIFETIME)
case $MODEL in
    spot) spot=true ;;
    standard) spot=false ;;
    *) fail "MODEL: found '$MODEL', expected spot or standard" ;;
esac
if [[ $accelerator =~ ^v[0-9] ]]; then
    version=${VERSION:-$(runtime "$accelerator")}
    resources="infra: gcp
  accelerators: tpu-$accelerator
  accelerator_args:
    runtime_version: $version"
    jax="jax[tpu]"
    if [[ $1 == run ]]; then set -- "$@" --distributed; fi
else
    resources="accelerators: $accelerator"
    jax="jax[cuda13]"
fi
package=.
case " $* " in
    *" gs://"*) package=".[gcs]" ;;
    *" s3://"*) package=".[s3]" ;;
esac

cat << TASK
name: $name
workdir: .
resources:
  $resources
  use_spot: $spot
  job_recovery: EAGER_NEXT_REGION
${BUCKET:+file_mounts:
  /results:
    source: $BUCKET
    mode: MOUNT
}setup: |
  curl -LsSf https://astral.sh/uv/0.13.8/install.sh | sh > /dev/null
  ~/.local/bin/uv venv -q --clear --python 3.11 .venv
  ~/.local/bin/uv pip install -q --python .venv -c tpu_scripts/constraints.txt -e '$package' '$jax'
run: |
  timeout ${lifetime}s .venv/bin/python -m itt_jax.main $(quoted "$@")
TASK
