"""Seating templates: plans that an organization keeps for later events."""
