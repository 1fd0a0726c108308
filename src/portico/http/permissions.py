"""Rights that the HTTP floor asks for."""

from portico.core.permissions import Permission


class HealthPermission(Permission):
    """What may be known of the server's own state."""

    READ = "platform:health:read"
