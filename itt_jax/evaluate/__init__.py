"""Predictions for many cells from one stream of distinct inputs, and what is told from them."""
