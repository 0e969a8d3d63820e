"""Bringing one platform to its description: observe, plan, apply, tell."""
