"""Shapes of the API of organizations."""
