# For machines with NVIDIA GPUs. The driver (580 or newer) is the host's; CUDA comes with the wheels of jax.
#   docker build -t itt_jax .
#   docker run --gpus all -v "$PWD/runs:/work/runs" itt_jax run --config real_small --data-root /work/data
FROM python:3.13-slim-trixie

WORKDIR /opt/itt_jax
COPY pyproject.toml setup.py README.md LICENSE ./
COPY itt_jax itt_jax
COPY configs configs
# Versions are those of pyproject.toml: a pin here would be a second one.
# hadolint ignore=DL3013
RUN pip install --no-cache-dir ".[gpu]"

# Not root, so that files in the mounted folder belong to the user who runs it (docker run --user changes it).
RUN useradd --create-home --uid 1000 itt && mkdir /work && chown itt /work
USER 1000
WORKDIR /work
ENTRYPOINT ["itt-jax"]
