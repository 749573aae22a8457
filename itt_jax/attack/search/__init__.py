"""Searches: the order in which an attack tries its candidates; one file each."""
