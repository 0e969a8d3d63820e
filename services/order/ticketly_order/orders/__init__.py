"""What becomes of an order after the claim: reading, cancelling, expiring."""
