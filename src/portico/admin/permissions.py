"""Rights of administrators that no lower feature declares."""

from portico.core.permissions import Permission


class AdminPermission(Permission):
    """What an administrator of the deployment may see and do, besides what `users` and `credentials` declare."""

    USER_LIST = "platform:user:list"
    USER_RESTORE = "platform:user:restore"
    SESSION_LIST = "platform:session:list"
    SESSION_END = "platform:session:end"
    STATS_READ = "platform:stats:read"
    AUDIT_READ = "platform:audit:read"
    JOB_READ = "platform:job:read"
    JOB_RETRY = "platform:job:retry"
    JOB_CANCEL = "platform:job:cancel"
    KEY_READ = "platform:key:read"
    KEY_ROTATE = "platform:key:rotate"
