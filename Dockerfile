# For machines with NVIDIA GPUs. The driver (580 or newer) is the host's; CUDA comes with the wheels of jax.
#   docker build -t itt_jax .
#   mkdir -p runs && docker run --gpus all --user "$(id -u):$(id -g)" -v "$PWD/runs:/work/runs" -v DATA:/work/data:ro \
#       itt_jax run --config real_small --data-root /work/data
# DATA is the absolute path of the folder of data.
FROM python:3.13-slim-trixie

WORKDIR /opt/itt_jax
COPY pyproject.toml setup.py README.md LICENSE ./
COPY itt_jax itt_jax
COPY configs configs
# Versions are those of pyproject.toml: a pin here would be a second one.
# hadolint ignore=DL3013
RUN pip install --no-cache-dir ".[gpu]"

# Any user of --user can write the caches in HOME, the code that numba compiles, and results.
ENV HOME=/home/itt NUMBA_CACHE_DIR=/tmp/numba
RUN useradd --create-home --uid 1000 itt && mkdir /work && chmod 1777 /home/itt /work
USER 1000
WORKDIR /work
ENTRYPOINT ["itt-jax"]
