"""Claims, orders and the outbox."""
