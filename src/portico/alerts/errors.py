"""What can go wrong with alerts.

AlertNotFound   alert_not_found   404
AlertResolved   alert_resolved    409   what is dealt with is not acknowledged any more
"""

from portico.core.errors import Conflict, NotFound


class AlertNotFound(NotFound):
    """There is no such alert here, or it is no longer kept."""

    code, title = "alert_not_found", "There is no such alert"


class AlertResolved(Conflict):
    """The alert was resolved; should it go on, it is raised anew."""

    code, title = "alert_resolved", "The alert is resolved already"
