"""Packages of the distribution: configs/ is beside the package in a checkout, and inside it when installed."""

from setuptools import find_packages, setup

setup(packages=[*find_packages(include=["itt_jax*"]), "itt_jax.configs"], package_dir={"itt_jax.configs": "configs"})
