"""Checks that no seat was sold twice and nothing acknowledged was lost.

`operations`, `history`, `seat_log`, `linearizable`, `checks`, `stored` and `verdict` are pure; `database` reads the
order database. Everything fails closed: what cannot be read or decided is inconclusive, never a pass.
"""
