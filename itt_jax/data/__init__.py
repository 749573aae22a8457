"""Rows in, device batches out: sources, tokenising, packing, contamination."""
