"""Rights over the deployment's webhooks."""

from portico.core.permissions import Permission


class WebhookPermission(Permission):
    """What an administrator may see of webhooks, and do with them."""

    READ = "platform:webhook:read"
    CREATE = "platform:webhook:create"
    UPDATE = "platform:webhook:update"
    DELETE = "platform:webhook:delete"
    ROTATE_SECRET = "platform:webhook:rotate_secret"
    SEND = "platform:webhook:send"
