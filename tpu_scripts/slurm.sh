#!/usr/bin/env bash
# Print a Slurm job array whose tasks run a command of itt_jax: slurm.sh NAME COMMAND [ARGUMENT ...]
#
#   COUNT=8 tpu_scripts/slurm.sh itt run --config x.py --out /shared/x > itt.sbatch
#   sbatch itt.sbatch
#
# The tasks drain the plan of --out; each is one node. Where the common disk is slow, --out is a folder on the
# disk of each node, and --share one with hard links that all of them see, or a bucket. A task that loses its node is
# queued again and continues; so does the same array submitted again. Environment:
#   COUNT      number of tasks; 1 by default
#   GPUS       of each task; 1 by default, 0 for none
#   LIFETIME   a task ends after it, counted anew when it was queued again: such as 90m, 8h, 2d; 12h by default
#   PARTITION  of the cluster; its own choice by default
#   PYTHON     of an environment that every node sees; .venv/bin/python of the folder of submission by default

# shellcheck source=tpu_scripts/common.sh
source "$(dirname "$0")/common.sh"
usage 2 "$@"
name=$1
shift
LIFETIME=${LIFETIME:-12h} COUNT=${COUNT:-1} GPUS=${GPUS:-1}
lifetime=$(seconds LIFETIME)
vms "$name"
[[ $GPUS =~ ^[0-9]+$ ]] || fail "GPUS: found '$GPUS', expected a number"
gpus="" # clusters without GPUs refuse a line that asks for none
if ((GPUS)); then printf -v gpus '#SBATCH --gres=gpu:%s\n' "$GPUS"; fi

cat << JOB
#!/usr/bin/env bash
#SBATCH --job-name=$name
#SBATCH --array=0-$((${#names[@]} - 1))
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --time=$(((lifetime + 59) / 60))
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=$name-%A_%a.log
$gpus${PARTITION:+#SBATCH --partition=$PARTITION
}set -euo pipefail
srun $(quoted "${PYTHON:-.venv/bin/python}" -m itt_jax.main "$@")
JOB
