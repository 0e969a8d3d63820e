"""Counts of sessions by status, for organizers and administrators."""
