"""Read side: projections, seat maps, streams."""
