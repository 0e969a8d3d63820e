"""Sessions of an event and their seating layouts."""
