"""Mail sending with a ledger."""
