"""Every rule of the catalogue, by acts that are real where there are services for them, else by entries like theirs."""

from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID, uuid4

import httpx2
import pytest

import portico
from portico.access.services import Grants
from portico.access.types import PlatformRole
from portico.alerts.catalogue import RULES
from portico.alerts.types import Severity
from portico.audit.types import Outcome
from portico.core.context import RequestContext, set_current_request
from portico.runtime import Runtime
from portico.sessions.places import Places
from portico.sessions.services import SignIn
from portico.sessions.types import Transport
from portico.testing.clock import FrozenClock
from tests.alerts.conftest import Follow, alerts_of, counters_of, refuse_password, write
from tests.sessions.people import ADDRESS, PASSWORD, add_person, log_in, refresh, sign_in

pytestmark = pytest.mark.anyio

MALLORY = uuid4()


class Atlas:
    """Knows the country of every address by its first number."""

    COUNTRIES: ClassVar = {"192": "CH", "198": "DE", "203": "FR"}

    def place_of(self, address: str | None) -> str | None:
        return self.country_of(address)

    def country_of(self, address: str | None) -> str | None:
        return self.COUNTRIES.get((address or "").split(".")[0])


async def enter_from(runtime: Runtime, address: str, device_cookie: str | None = None) -> str:
    """Sign in from somewhere; return the cookie of the device."""
    request = RequestContext(
        request_id="test", client_address=address, user_agent="Lynx", device_cookie=device_cookie
    )
    set_current_request(request)
    signed_in = await SignIn(runtime, runtime.unit()).sign_in(ADDRESS, PASSWORD, Transport.BODY)
    return signed_in.device_cookie


async def raised(runtime: Runtime, follow: Follow, rule: str) -> list[Any]:
    await follow()
    return await alerts_of(runtime, rule)


@pytest.mark.bar("ASVS-6.3.5", "ASVS-16.3.1")
async def test_wrong_passwords_on_one_account(
    runtime: Runtime, client: httpx2.AsyncClient, follow: Follow
) -> None:
    ada = await add_person(runtime, ADDRESS)
    for _ in range(12):
        await log_in(client, password="not this one")

    (alert,) = await raised(runtime, follow, "failed_sign_ins")
    (blocked,) = await alerts_of(runtime, "guessing_blocked")
    assert (alert.subject_type, alert.subject_id, alert.count) == ("user", ada.id, 12)
    assert (blocked.subject_id, blocked.count) == (ada.id, 2)


@pytest.mark.bar("T4")
async def test_many_accounts_from_one_network(runtime: Runtime, follow: Follow) -> None:
    for number in range(19):
        await refuse_password(runtime, uuid4(), address=f"2001:db8:0:1::{number:x}")
    await refuse_password(runtime, uuid4(), address="2001:db8:0:2::1")
    before = await raised(runtime, follow, "credential_stuffing")
    await refuse_password(runtime, uuid4(), address="2001:db8:0:1:ffff::")

    (alert,) = await raised(runtime, follow, "credential_stuffing")
    assert before == []
    assert (alert.subject_id, alert.count, alert.severity) == (None, 20, Severity.HIGH)


async def test_one_account_from_one_address_is_no_stuffing(runtime: Runtime, follow: Follow) -> None:
    victim = uuid4()
    for _ in range(40):
        await refuse_password(runtime, victim)

    assert await raised(runtime, follow, "credential_stuffing") == []


async def test_names_that_nobody_has_count_each(runtime: Runtime, follow: Follow) -> None:
    for _ in range(20):
        await refuse_password(runtime, None)

    assert [alert.count for alert in await raised(runtime, follow, "credential_stuffing")] == [20]


async def test_no_address_and_no_account_stands_in_what_is_remembered(
    runtime: Runtime, follow: Follow
) -> None:
    victim = uuid4()
    await refuse_password(runtime, victim, address="198.51.100.7")
    await follow()

    kept = [f"{row.group_key} {row.marks}" for row in await counters_of(runtime)]
    assert len(kept) == 2
    assert not any("198.51" in text or str(victim) in text for text in kept)


async def test_refresh_token_reused(
    runtime: Runtime, client: httpx2.AsyncClient, clock: FrozenClock, follow: Follow
) -> None:
    ada = await add_person(runtime, ADDRESS)
    person = await sign_in(client)
    await refresh(client, person.refresh_token)
    clock.advance(timedelta(minutes=1))
    answer = await refresh(client, person.refresh_token)

    (alert,) = await raised(runtime, follow, "refresh_token_reused")
    assert (answer.status_code, alert.subject_id, alert.count) == (401, ada.id, 1)


async def test_token_of_a_grant_without_a_session_is_told_by_itself(runtime: Runtime, follow: Follow) -> None:
    family = uuid4()
    await write(runtime, "refresh_token.reused", subject=("token_family", family), session_id=uuid4())
    await write(runtime, "refresh_token.reused", subject=("token_family", family))

    (alert,) = await raised(runtime, follow, "refresh_token_reused")
    assert (alert.subject_type, alert.subject_id, alert.count) == ("token_family", family, 1)


@pytest.mark.bar("T4")
async def test_honeytoken_used(runtime: Runtime, follow: Follow) -> None:
    key = uuid4()
    await write(
        runtime,
        "api_key.honeytoken_used",
        outcome=Outcome.REFUSED,
        subject=("api_key", key),
        reason="honeytoken",
    )

    (alert,) = await raised(runtime, follow, "honeytoken_used")
    assert (alert.subject_id, alert.severity) == (key, Severity.CRITICAL)


@pytest.mark.bar("ASVS-6.3.5")
async def test_new_device_and_new_country(runtime: Runtime, clock: FrozenClock, follow: Follow) -> None:
    ada = await add_person(runtime, ADDRESS)
    runtime.provide(Places, Atlas())
    known = await enter_from(runtime, "192.0.2.1")
    await enter_from(runtime, "192.0.2.1", known)
    first = await raised(runtime, follow, "new_country")
    clock.advance(timedelta(days=2))
    await enter_from(runtime, "198.51.100.1", known)
    await enter_from(runtime, "192.0.2.7", known)
    await enter_from(runtime, "203.0.113.1")

    countries = await raised(runtime, follow, "new_country")
    devices = await alerts_of(runtime, "new_device")
    assert first == []
    assert [alert.details for alert in countries] == [{"country": "DE"}, {"country": "FR"}]
    assert [(alert.details, alert.subject_id) for alert in devices] == [({"country": "FR"}, ada.id)]


async def test_one_who_ends_much_of_others(runtime: Runtime, follow: Follow) -> None:
    mallory, organization = uuid4(), uuid4()
    for _ in range(9):
        await write(
            runtime,
            "session.revoked",
            actor=mallory,
            subject=("user", uuid4()),
            details={"sessions": ["1", "2"]},
        )
    for _ in range(30):
        await write(runtime, "session.revoked", actor=mallory, subject=("user", mallory))
        await write(runtime, "session.revoked", subject=("user", uuid4()))
    for _ in range(20):
        await write(
            runtime,
            "organization.member_left",
            actor=mallory,
            subject=("user", uuid4()),
            organization_id=organization,
        )
    before = await raised(runtime, follow, "mass_revocation")
    await write(
        runtime, "session.revoked", actor=mallory, subject=("user", uuid4()), details={"sessions": ["1", "2"]}
    )
    (_, alert) = await raised(runtime, follow, "mass_revocation")

    assert [(each.organization_id, each.count) for each in before] == [(organization, 20)]
    assert (alert.organization_id, alert.subject_id, alert.count) == (None, mallory, 20)


async def test_platform_role_given(runtime: Runtime, follow: Follow) -> None:
    ada = await add_person(runtime, ADDRESS)
    async with (unit := runtime.unit()):
        await Grants(runtime, unit).grant_role(ada.id, PlatformRole.SUPPORT)

    (alert,) = await raised(runtime, follow, "role_escalation")
    assert (alert.subject_type, alert.subject_id) == ("user", ada.id)


@pytest.mark.parametrize(
    ("change", "actor", "is_told"),
    [
        (([], ["owner"]), None, False),
        (([], ["owner"]), MALLORY, True),
        ((["member"], ["admin", "member"]), MALLORY, True),
        ((["admin"], ["member"]), MALLORY, False),
        ((["viewer"], ["member"]), MALLORY, False),
    ],
)
async def test_role_given_in_an_organization(
    runtime: Runtime, follow: Follow, change: tuple[list[str], list[str]], actor: UUID | None, is_told: bool
) -> None:
    await write(
        runtime,
        "organization.roles_changed",
        actor=actor,
        subject=("user", uuid4()),
        organization_id=uuid4(),
        changes={"roles": change},
    )

    assert bool(await raised(runtime, follow, "role_escalation")) is is_told


async def test_invited_administrator_and_widened_role(runtime: Runtime, follow: Follow) -> None:
    organization, subject, role = uuid4(), uuid4(), uuid4()
    facts: dict[str, Any] = {"actor": subject, "organization_id": organization}
    joined = {"how": "invited", "roles": ["admin"]}
    await write(runtime, "organization.member_joined", subject=("user", subject), details=joined, **facts)
    wider = {"permissions": (["a:b:read"], ["a:b:read", "a:b:write"])}
    narrower = {"permissions": (["a:b:read", "a:b:write"], ["a:b:read"])}
    updated = ("organization_role", role)
    await write(runtime, "organization_role.updated", subject=updated, changes=narrower, **facts)
    await write(runtime, "organization_role.updated", subject=updated, changes=wider, **facts)

    found = await raised(runtime, follow, "role_escalation")
    assert [(alert.subject_type, alert.subject_id, alert.count) for alert in found] == [
        ("user", subject, 1),
        ("organization_role", role, 1),
    ]


async def test_impersonation_started(runtime: Runtime, follow: Follow) -> None:
    person, session = uuid4(), uuid4()
    await write(runtime, "impersonation.started", actor=uuid4(), subject=("user", person), session_id=session)

    (alert,) = await raised(runtime, follow, "impersonation_started")
    assert alert.subject_id == person


@pytest.mark.bar("ASVS-16.3.3")
async def test_trail_that_was_tampered_with(runtime: Runtime, follow: Follow) -> None:
    await write(runtime, "audit.gap_found", reason="rolled_back", details={"first": 1, "last": 1})
    before = await raised(runtime, follow, "trail_broken")
    await write(
        runtime, "audit.gap_found", outcome=Outcome.FAILED, reason="deleted", details={"first": 2, "last": 2}
    )

    (alert,) = await raised(runtime, follow, "trail_broken")
    assert (before, alert.severity) == ([], Severity.CRITICAL)


async def test_every_action_that_a_rule_hears_is_written_somewhere() -> None:
    """A rule that hears a name which nobody writes is deaf; the names are looked for in the source."""
    root = Path(portico.__file__).parent
    source = "\n".join(
        path.read_text(encoding="utf-8") for path in root.rglob("*.py") if "alerts" not in path.parts
    )
    built = {"service_account.disabled", "service_account.deleted", "user.deactivated", "user.deleted"}
    heard = {action for rule in RULES for action in rule.hears}

    assert {action for action in heard if f'"{action}"' not in source} <= built


def test_names_are_unlike() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
