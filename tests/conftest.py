"""Fixtures of the whole suite; most come from the public plug-in."""

pytest_plugins = ["portico.testing.plugin"]
