"""Cover photos and logos: what may be stored, where, and under which addresses it is served."""
