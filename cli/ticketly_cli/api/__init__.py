"""The platform's public API and its identity provider, as an organizer, an administrator or a buyer uses them.

For set-up work (seed, race): comfortable, retrying, not fast. The race's own requests go through `race.channel`.
"""
