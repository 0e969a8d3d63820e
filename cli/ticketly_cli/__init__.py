"""The ticketly command."""
