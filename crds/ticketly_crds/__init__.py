"""The TicketlyPlatform resource: model, names, blueprint."""
