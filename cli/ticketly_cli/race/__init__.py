"""`ticketly race`: many buyers fight for the same seats at the same moment, and every answer is written down.

`plan`, `statistics` and `wire` are pure; `channel` is the fast HTTP client, `engine` the barrier and the record,
`stage` the race's own event, `chaos` the faults, `run` the whole story.
"""
