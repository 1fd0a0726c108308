"""Portico's Alembic chain."""
