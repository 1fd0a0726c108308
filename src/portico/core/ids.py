"""Identifiers: UUID version 7, made by the application so that both databases get the same.

An id sorts by the time of its making and is never a secret (SECURITY_BAR T10).
"""

import sys
from typing import NewType
from uuid import UUID

if sys.version_info >= (3, 14):
    from uuid import uuid7, uuid7 as _quick_uuid7
else:
    from uuid_utils import uuid7 as _quick_uuid7
    from uuid_utils.compat import uuid7

PrincipalId = NewType("PrincipalId", UUID)
"""A person, service account or OAuth client; all share the ids of `portico_principals`."""

UserId = NewType("UserId", PrincipalId)
"""A principal that is a person."""

SessionId = NewType("SessionId", UUID)
OrganizationId = NewType("OrganizationId", UUID)


def new_id() -> UUID:
    """Return a fresh UUIDv7 (RFC 9562, section 5.7), monotonic within the process."""
    return uuid7()


def new_request_id() -> str:
    """Return a fresh UUIDv7 as text, for a request that brings no id of its own; cheap, for it is made each time."""
    return str(_quick_uuid7())
