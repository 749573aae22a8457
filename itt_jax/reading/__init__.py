"""What every reader of the user's text files shares: decoding, lines, JSON, names of columns, quotation marks."""
