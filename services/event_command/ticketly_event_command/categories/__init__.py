"""The tree of event categories."""
