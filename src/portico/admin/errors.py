"""What an administrator is refused."""

from portico.core.errors import Forbidden


class RightsNotHeld(Forbidden):
    """Nobody gives, takes or rules over rights that he does not hold himself (CVE-2026-9795, CVE-2026-16106)."""

    code, title = "rights_not_held", "This needs rights that you do not hold yourself"
    persist = True
