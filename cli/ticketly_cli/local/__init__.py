"""The platform on this machine: the blueprint as plain processes on the loopback interface.

Other commands need one module of this package, `state`: `state.load()` gives addresses and secrets of the platform.
"""
