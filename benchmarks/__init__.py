"""Measures the running server against a bare FastAPI route beside it: `make bench`."""
