"""What is sold and at what price: tiers and discounts of an event."""
