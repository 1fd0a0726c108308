"""The rules that every deployment has.

Thresholds are for people who mistype and offices that share an address; `PORTICO_ALERTS__RULES__*` says otherwise.
Mails that other features send already (a new device, an impersonation) are not sent a second time from here.
"""

from datetime import timedelta
from typing import Any, Final

from portico.access.types import OrganizationRole
from portico.alerts.counting import Novelty, Threshold
from portico.alerts.rules import (
    AlertRule,
    added,
    by_actor,
    by_client,
    by_client_or_all,
    by_organization,
    by_person,
    by_session,
    by_subject,
)
from portico.alerts.types import Audience, Severity
from portico.audit.types import Outcome, TrailEntry
from portico.web.translations import mark

HOUR: Final = timedelta(hours=1)
TEN_MINUTES: Final = timedelta(minutes=10)
POWERFUL: Final = frozenset({OrganizationRole.OWNER.value, OrganizationRole.ADMIN.value})
"""Roles of an organization whose granting is told."""


def _is_guess_at_account(entry: TrailEntry) -> bool:
    return entry.outcome is Outcome.REFUSED


def _is_blocked(entry: TrailEntry) -> bool:
    return entry.reason == "too_many_attempts"


def _account_tried(entry: TrailEntry) -> str:
    """Return which account was tried; every name that nobody has stands for one, for it is not on the trail."""
    return (entry.subject_id or entry.id).hex


def _is_replay(entry: TrailEntry) -> bool:
    """Hear of a session by its end, which names the person; of a grant without one by the token itself."""
    if entry.action == "session.revoked":
        return entry.reason == "replayed"
    return entry.session_id is None


def _is_new_device(entry: TrailEntry) -> bool:
    return entry.details.get("new_device") is True


def _country(entry: TrailEntry) -> str | None:
    country = (entry.personal or {}).get("country")
    return country if isinstance(country, str) else None


def _its_country(entry: TrailEntry) -> dict[str, Any]:
    country = _country(entry)
    return {"country": country} if country else {}


def _is_anothers(entry: TrailEntry) -> bool:
    return entry.actor_id is not None and entry.actor_id != entry.subject_id


def _sessions_ended(entry: TrailEntry) -> int:
    ended = entry.details.get("sessions")
    return max(len(ended), 1) if isinstance(ended, list) else 1


def _widens(entry: TrailEntry) -> bool:
    """Tell whether somebody was given more; whoever founds an organization was given nothing by anybody."""
    match entry.action:
        case "organization.roles_changed":
            return entry.actor_id is not None and bool(added(entry.changes, "roles") & POWERFUL)
        case "organization.member_joined":
            return bool(POWERFUL.intersection(entry.details.get("roles") or ()))
        case "organization_role.updated":
            return bool(added(entry.changes, "permissions"))
        case _:
            return True


def _is_deletion(entry: TrailEntry) -> bool:
    return entry.outcome is Outcome.FAILED


def _is_forged(entry: TrailEntry) -> bool:
    """Pass over clients that go on asking with the token of a session that has ended."""
    return entry.reason != "session_ended"


def _requests(entry: TrailEntry) -> int:
    count = entry.details.get("count")
    return count if isinstance(count, int) else 1


FAILED_SIGN_INS = AlertRule(
    name="failed_sign_ins",
    title=mark("Many failed sign-ins"),
    description=mark("Somebody has entered many wrong passwords for the account."),
    severity=Severity.WARNING,
    hears=frozenset({"password.refused"}),
    where=_is_guess_at_account,
    group=by_person,
    counting=Threshold(10, HOUR),
    tells=(Audience.PERSON,),
    is_own=True,
)
CREDENTIAL_STUFFING = AlertRule(
    name="credential_stuffing",
    title=mark("Many accounts tried from one address"),
    description=mark("From one network address, passwords of many accounts were tried and refused."),
    severity=Severity.HIGH,
    hears=frozenset({"password.refused"}),
    where=_is_guess_at_account,
    group=by_client,
    value=_account_tried,
    counting=Threshold(20, TEN_MINUTES),
    tells=(Audience.ADMINISTRATORS,),
)
GUESSING_BLOCKED = AlertRule(
    name="guessing_blocked",
    title=mark("Password guessing slowed down"),
    description=mark("So many wrong passwords were entered for the account that further ones have to wait."),
    severity=Severity.INFO,
    hears=frozenset({"password.refused"}),
    where=_is_blocked,
    group=by_person,
    is_own=True,
)
REFRESH_TOKEN_REUSED = AlertRule(
    name="refresh_token_reused",
    title=mark("A sign-in was copied"),
    description=mark(
        "A refresh token was used that had been used before: somebody may have copied it. The session was ended."
    ),
    severity=Severity.HIGH,
    hears=frozenset({"session.revoked", "refresh_token.reused"}),
    where=_is_replay,
    group=by_subject,
    tells=(Audience.PERSON,),
    is_own=True,
)
HONEYTOKEN_USED = AlertRule(
    name="honeytoken_used",
    title=mark("A honeytoken was used"),
    description=mark("Somebody tried an API key that was laid out as a trap: he has been where it was laid."),
    severity=Severity.CRITICAL,
    hears=frozenset({"api_key.honeytoken_used"}),
    group=by_subject,
    tells=(Audience.ADMINISTRATORS,),
)
NEW_DEVICE = AlertRule(
    name="new_device",
    title=mark("Sign-in on a new device"),
    description=mark("The account was used on a device that was not seen before."),
    severity=Severity.INFO,
    hears=frozenset({"session.created"}),
    where=_is_new_device,
    group=by_session,
    details=_its_country,
    is_own=True,
)
NEW_COUNTRY = AlertRule(
    name="new_country",
    title=mark("Sign-in from a new country"),
    description=mark("The account was used from a country from which it was not used within a year."),
    severity=Severity.WARNING,
    hears=frozenset({"session.created"}),
    group=by_person,
    value=_country,
    counting=Novelty(timedelta(days=365)),
    details=_its_country,
    tells=(Audience.PERSON,),
    is_told_elsewhere=_is_new_device,  # the mail about the device names the place
    is_own=True,
)
MASS_REVOCATION = AlertRule(
    name="mass_revocation",
    title=mark("Much was taken away at once"),
    description=mark("Somebody ended many sessions, keys, memberships or accounts of others within minutes."),
    severity=Severity.HIGH,
    hears=frozenset({
        "session.revoked", "api_key.revoked", "organization.member_left", "user.deactivated", "user.deleted",
        "service_account.disabled", "service_account.deleted",
    }),
    where=_is_anothers,
    group=by_actor,
    weight=_sessions_ended,
    counting=Threshold(20, TEN_MINUTES),
    tells=(Audience.OWNERS,),
)  # fmt: skip
ROLE_ESCALATION = AlertRule(
    name="role_escalation",
    title=mark("Somebody was given more rights"),
    description=mark(
        "A role over the whole deployment or a powerful one in an organization was given, or a role was widened."
    ),
    severity=Severity.HIGH,
    hears=frozenset({
        "role.granted", "organization.roles_changed", "organization.member_joined", "organization_role.updated",
    }),
    where=_widens,
    group=by_subject,
    tells=(Audience.OWNERS,),
    tells_subject=False,
)  # fmt: skip
IMPERSONATION_STARTED = AlertRule(
    name="impersonation_started",
    title=mark("Somebody acts in the name of another"),
    description=mark("Somebody of support or administration began to act in the name of the account."),
    severity=Severity.INFO,
    hears=frozenset({"impersonation.started"}),
    group=by_session,
    is_own=True,
)
TRAIL_BROKEN = AlertRule(
    name="trail_broken",
    title=mark("The audit trail was tampered with"),
    description=mark("Entries of the trail are missing, or were not written by Portico."),
    severity=Severity.CRITICAL,
    hears=frozenset({"audit.gap_found", "audit.forgery_found", "audit.verification_failed"}),
    where=_is_deletion,
    group=by_organization,
    tells=(Audience.ADMINISTRATORS,),
)
REQUESTS_REFUSED = AlertRule(
    name="requests_refused",
    title=mark("Many forged requests"),
    description=mark(
        "Somebody sends tokens that are not ours, or lets browsers send requests from foreign pages."
    ),
    severity=Severity.WARNING,
    hears=frozenset({"request.credential_refused", "request.forgery_refused"}),
    where=_is_forged,
    group=by_client_or_all,
    weight=_requests,
    counting=Threshold(100, TEN_MINUTES),
    tells=(Audience.ADMINISTRATORS,),
)
RULES: Final = (
    FAILED_SIGN_INS,
    CREDENTIAL_STUFFING,
    GUESSING_BLOCKED,
    REFRESH_TOKEN_REUSED,
    HONEYTOKEN_USED,
    NEW_DEVICE,
    NEW_COUNTRY,
    MASS_REVOCATION,
    ROLE_ESCALATION,
    IMPERSONATION_STARTED,
    TRAIL_BROKEN,
    REQUESTS_REFUSED,
)
