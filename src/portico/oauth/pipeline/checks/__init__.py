"""The checks: one a function, each with the section that demands it. What runs where stands in `pipeline.table`."""
