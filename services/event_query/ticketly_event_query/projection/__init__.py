"""From captured rows to read-model documents."""
