"""`portico audit …`; what they need is imported when they run."""

import typer


def register_commands(app: typer.Typer) -> None:
    """Add the group `audit`."""
