"""What can go wrong with grants."""

from portico.core.errors import Conflict


class LastSuperuser(Conflict):
    """The deployment would be left without anyone who may administer it."""

    code, title = "last_superuser", "The last superuser cannot be removed"
