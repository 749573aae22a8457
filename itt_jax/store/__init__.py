"""Results folders: the only code that knows their paths and formats."""
