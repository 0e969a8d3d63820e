"""Organizations and their staff."""
