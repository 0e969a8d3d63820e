"""What this service knows about events: a copy of the write side, fed from the log."""
