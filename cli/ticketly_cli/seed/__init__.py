"""`ticketly seed`: a believable season of events, made through the public API.

`catalogue` holds the texts, `plan` decides everything else from a seed (both pure), `picture` draws covers, `record`
remembers what was made, `run` makes it.
"""
