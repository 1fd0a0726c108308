"""Alembic's entry: Portico brings the connection and knows which tables are the documents'."""

from portico.db.migrations.env import run

run()
