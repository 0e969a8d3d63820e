"""Read routes over the projected events."""
