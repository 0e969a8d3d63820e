"""The AWS side of Ticketly as one Pulumi program."""
