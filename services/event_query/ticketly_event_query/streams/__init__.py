"""The seat stream: one hub, many connections."""
