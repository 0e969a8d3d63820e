"""The lag canary: one row that is written about once a second, for readers to tell how late they are (docs/lag.md)."""
