"""Shared by all readers of the user's text files: decoding, lines, JSON, names of columns, quotation marks."""
