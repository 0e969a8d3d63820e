"""Reconciles TicketlyPlatform resources."""
