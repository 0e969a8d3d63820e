"""Blueprint -> the objects, connectors and topics that should exist. Pure builders, one module for each kind."""
