"""Predictions for many cells from one stream of distinct inputs."""
