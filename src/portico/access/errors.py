"""What can go wrong with rights."""

from portico.core.errors import Conflict, Forbidden, Invalid, NotFound


class LastSuperuser(Conflict):
    """The deployment would be left without anyone who may administer it."""

    code, title = "last_superuser", "The last superuser cannot be removed"


class LastOwner(Conflict):
    """The organization would be left without an owner who can act."""

    code, title = "last_owner", "An organization is never without an owner"


class RightsNotHeld(Forbidden):
    """Nobody gives, takes or rules over rights that he does not hold himself (CVE-2026-9795, CVE-2026-16106)."""

    code, title = "rights_not_held", "This needs rights that you do not hold yourself"
    persist = True


class RoleNotFound(NotFound):
    """The organization has no such role."""

    code, title = "role_not_found", "There is no such role"


class GroupNotFound(NotFound):
    """The organization has no such team."""

    code, title = "team_not_found", "There is no such team"


class RoleTaken(Conflict):
    """The organization has a role of that name."""

    code, title = "role_taken", "There is a role of that name"


class RoleInUse(Conflict):
    """Somebody holds the role; give him another one first."""

    code, title = "role_in_use", "Somebody still holds this role"


class RoleFixed(Conflict):
    """The role is one that every organization has."""

    code, title = "role_fixed", "This role cannot be changed"


class PermissionUnknown(Invalid):
    """A role would hold something that is no permission of organizations."""

    code, title = "permission_unknown", "There is no such permission"
