"""Every SQL statement of sessions; what runs on every sign-in or refresh is a Core statement built once."""

from portico.sessions.repositories.impersonations import Acting, ImpersonationRepository
from portico.sessions.repositories.refreshes import RefreshTrips
from portico.sessions.repositories.sessions import (
    DeviceNotice,
    LiveSession,
    LockedPerson,
    SessionRepository,
    SignInFacts,
)

__all__ = [
    "Acting",
    "DeviceNotice",
    "ImpersonationRepository",
    "LiveSession",
    "LockedPerson",
    "RefreshTrips",
    "SessionRepository",
    "SignInFacts",
]
