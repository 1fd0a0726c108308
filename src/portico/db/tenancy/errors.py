"""What is refused at the wall between organizations: mistakes in the program, answered with 500 and logged."""

from sqlalchemy.exc import DontWrapMixin


class TenantError(DontWrapMixin, RuntimeError):
    """A statement would have looked or reached beyond one organization; it was not sent."""


class TenantMissing(TenantError):
    """Rows of an organization are asked for, and nobody said of which one."""


class TenantRefused(TenantError):
    """A statement that cannot be kept inside the organization."""


class TablesOpen(RuntimeError):
    """Scoped tables in the database have no second wall; nothing was changed."""

    def __init__(self, names: list[str]) -> None:
        tables = ", ".join(f'"{name}"' for name in names)
        super().__init__(
            f"row level security does not guard {', '.join(names)}: call `isolate(op, {tables})` in a migration"
        )
