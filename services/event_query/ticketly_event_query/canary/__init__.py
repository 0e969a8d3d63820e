"""The lag canary as a reader sees it: from the command database's row to a server-sent event (docs/lag.md)."""
