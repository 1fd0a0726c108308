"""What happens to grants."""

from dataclasses import dataclass
from typing import ClassVar

from portico.access.types import PlatformRole
from portico.core.ids import PrincipalId
from portico.messaging import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class RolesChanged(Event):
    """A principal's platform roles are now these."""

    name: ClassVar[str] = "principal.roles_changed"

    principal_id: PrincipalId
    roles: tuple[PlatformRole, ...]
