"""`portico organizations list|create|members|add-member|disable|enable|delete|transfer`."""

import typer


def register_commands(app: typer.Typer) -> None:
    """Add the group `organizations`. The context's object runs an async function with an open runtime."""
    group = typer.Typer(no_args_is_help=True, help="Organizations: list, make, members, switch off, delete.")
    app.add_typer(group, name="organizations")
