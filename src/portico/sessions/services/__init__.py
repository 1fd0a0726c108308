"""The use cases of sessions: signing in, refreshing, verifying, listing and ending."""

from portico.sessions.services.access_tokens import AccessToken, AccessTokens, live_session, principal_of
from portico.sessions.services.active_organizations import ActiveOrganizations
from portico.sessions.services.believed import BelievedPrincipals
from portico.sessions.services.ending import SessionEnding
from portico.sessions.services.impersonations import Impersonations, StartedImpersonation
from portico.sessions.services.opening import OpenedSession, SessionOpening
from portico.sessions.services.page_sessions import PageCookies, PageSessions
from portico.sessions.services.session_tokens import RefreshedSession, SessionTokens
from portico.sessions.services.sessions import Sessions, SessionView, sweep_sessions
from portico.sessions.services.sign_in import SignedIn, SignIn

__all__ = [
    "AccessToken",
    "AccessTokens",
    "ActiveOrganizations",
    "BelievedPrincipals",
    "Impersonations",
    "OpenedSession",
    "PageCookies",
    "PageSessions",
    "RefreshedSession",
    "SessionEnding",
    "SessionOpening",
    "SessionTokens",
    "SessionView",
    "Sessions",
    "SignIn",
    "SignedIn",
    "StartedImpersonation",
    "live_session",
    "principal_of",
    "sweep_sessions",
]
