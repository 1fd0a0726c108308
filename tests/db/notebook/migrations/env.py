"""Alembic's entry."""

from portico.db.migrations.env import run

run()
