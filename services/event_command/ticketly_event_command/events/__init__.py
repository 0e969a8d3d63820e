"""Events: creation, approval, lists, removal."""
