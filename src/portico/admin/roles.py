"""What support and auditors may do over the whole deployment, besides what features above declare."""

from collections.abc import Mapping
from typing import Final

from portico.access.types import PlatformRole
from portico.admin.permissions import AdminPermission
from portico.core.permissions import Permission
from portico.credentials.permissions import CredentialPermission
from portico.users.permissions import UserPermission
from portico.webhooks.permissions import WebhookPermission

_SEES_PEOPLE: Final = frozenset({
    AdminPermission.USER_LIST, UserPermission.READ, AdminPermission.SESSION_LIST, AdminPermission.STATS_READ,
})  # fmt: skip

PLATFORM_ROLES: Final[Mapping[str, frozenset[Permission]]] = {
    PlatformRole.SUPPORT: _SEES_PEOPLE
    | {AdminPermission.SESSION_END, CredentialPermission.UNLOCK, CredentialPermission.INVITATION_READ},
    PlatformRole.AUDITOR: _SEES_PEOPLE
    | {
        AdminPermission.AUDIT_READ,
        AdminPermission.JOB_READ,
        AdminPermission.KEY_READ,
        CredentialPermission.INVITATION_READ,
        WebhookPermission.READ,
    },
}
"""Support helps people and changes nothing of theirs; auditors see everything that tells who did what."""
