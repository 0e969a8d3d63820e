"""Who gets a seat: the claim, its batches, and the shield in front of it."""
