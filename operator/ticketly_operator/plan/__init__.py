"""Comparing what is wanted with what is there. Pure: the clock is an argument, nothing is called."""
