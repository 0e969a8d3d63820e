"""One module per command; see `ticketly_cli.main` for how a command joins."""
