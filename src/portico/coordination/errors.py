"""What leases refuse."""

from portico.core.errors import Conflict


class LeaseTaken(Conflict):
    """Somebody else does just this at the moment."""

    code, title = "lease_taken", "Somebody else is doing this right now"


class LeaseLost(Conflict):
    """The lease ran out, and somebody else may have taken it: what was to be written is rolled back."""

    code, title = "lease_lost", "Another process has taken this over"
