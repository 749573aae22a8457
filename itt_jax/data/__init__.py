"""Rows in, device batches out: sources, tokenising, packing, overlap between splits."""
