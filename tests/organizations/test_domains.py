"""Mail domains: how one is proven, kept and lost, and who joins by it."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from portico.audit.models import AuditEntry
from portico.core.ids import UserId
from portico.mail.captured import CapturedMail
from portico.organizations.domain_names import domain_of, parse_domain
from portico.organizations.errors import DomainRefused
from portico.organizations.jobs import recheck_domains
from portico.organizations.models import Departure, Domain, Invitation
from portico.organizations.resolving import DnsAway, Resolver
from portico.organizations.services import Members, OrganizationLifecycle, joining
from portico.testing.jobs import do_job, run_due_jobs
from portico.testing.organizations import acting_as
from portico.users.addresses import parse_address
from portico.users.services import EmailAddresses, NewUser, Users
from portico.users.types import Account
from tests.credentials.acts import count, trail, under
from tests.organizations.conftest import Caller
from tests.organizations.stage import Stage, on_one_database
from tests.sessions.people import add_person

pytestmark = pytest.mark.anyio

OURS = "acme-works.example.com"
HOST = f"_portico-challenge.{OURS}"


class Zone:
    """DNS as the outside has it: what is not set is not there; away, nobody can tell."""

    def __init__(self) -> None:
        self.records: dict[str, list[str]] = {}
        self.away = False
        self.asked: list[str] = []

    async def list_texts(self, name: str) -> Sequence[str]:
        self.asked.append(name)
        await asyncio.sleep(0)
        if self.away:
            raise DnsAway
        return self.records.get(name, ())


@pytest.fixture
def zone(stage: Stage) -> Zone:
    zone = Zone()
    stage.runtime.provide(Resolver, zone)
    return zone


async def add(stage: Stage, domain: str = OURS, *, by: Caller | None = None, at: str = "") -> dict[str, Any]:
    made: dict[str, Any] = await (by or stage.ada).ask(
        "POST", at or stage.domains, 201, json={"domain": domain}
    )
    return made


async def proven(stage: Stage, zone: Zone, *, joins: str | None = None) -> dict[str, Any]:
    """Add Acme's domain, set its record, verify it; with `joins` people of it become that."""
    made = await add(stage)
    zone.records[HOST] = ["v=spf1 -all", made["record"]["value"]]
    verified: dict[str, Any] = await stage.ada.ask("POST", f"{stage.domains}/{made['id']}/verify")
    if joins is not None:
        wish = {"joins_automatically": True, "role": joins}
        verified = await stage.ada.ask("PATCH", f"{stage.domains}/{made['id']}", json=wish)
    return verified


async def listed(stage: Stage) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (await stage.ada.ask("GET", stage.domains))["data"]
    return rows


async def prove(stage: Stage, account: Account) -> None:
    """Prove somebody's address by the link of a mail, and do what follows."""
    async with stage.runtime.unit() as unit:
        token = await EmailAddresses(stage.runtime, unit).issue_proof(account)
    await EmailAddresses(stage.runtime, stage.runtime.unit()).verify(token.secret)
    await run_due_jobs(stage.runtime)


async def newcomer(stage: Stage, email: str) -> Account:
    """Make somebody with this address, unproven."""
    return await add_person(stage.runtime, email, verified=False)


async def test_a_domain_is_proven_by_its_record(stage: Stage, zone: Zone) -> None:
    made = await add(stage, "Acme-Works.EXAMPLE.com.")
    path = f"{stage.domains}/{made['id']}/verify"
    missing = await stage.ada.refused("POST", path, 409)
    zone.records[HOST] = ["portico-verification=another"]
    wrong = await stage.ada.refused("POST", path, 409)
    zone.records[HOST].append(made["record"]["value"])
    verified = await stage.ada.ask("POST", path)

    assert (made["domain"], made["verified_at"]) == (OURS, None)
    assert made["record"]["type"] == "TXT"
    assert made["record"]["name"] == HOST
    assert made["record"]["value"].startswith("portico-verification=")
    assert len(made["record"]["value"]) == 21 + 43
    assert missing == wrong == "domain_record_missing"
    assert verified["verified_at"] is not None
    assert set(zone.asked) == {HOST}
    actions = Counter((entry[0], entry[1]) for entry in await trail(stage.runtime))
    assert actions["domain.verification_refused", "refused"] == 2
    assert actions["domain.verified", "success"] == 1


@pytest.mark.parametrize(
    "domain",
    [
        "gmail.com", "GMX.de", "co.uk", "github.io", "com", "localhost", "printer.local", "192.0.2.1", "[192.0.2.1]",
        "2001:db8::1", "a@example.com", "https://example.com", "example.com/x", "exa mple.com", "-.com", "a..com",
        "example.com:53", "x." * 130 + "com", "", ".",
    ],
)  # fmt: skip
def test_what_is_no_domain_of_ones_own_is_refused(domain: str) -> None:
    with pytest.raises(DomainRefused):
        parse_domain(domain)


def test_domains_are_read_as_addresses_are() -> None:
    assert parse_domain("BÜCHER.example") == "xn--bcher-kva.example"
    assert domain_of(parse_address("ada@bücher.example").normal_form) == "xn--bcher-kva.example"
    with pytest.raises(DomainRefused):
        parse_domain("example.org", frozenset({"example.org"}))


@on_one_database
async def test_a_refused_domain_names_the_field(stage: Stage, zone: Zone) -> None:
    answer = await stage.ada.ask("POST", stage.domains, 422, json={"domain": "gmail.com"})

    assert [(fault["code"], fault["field"]) for fault in answer["errors"]] == [("domain_refused", "domain")]
    assert zone.asked == []


@on_one_database
async def test_dns_that_is_away_is_told_and_nothing_changes(stage: Stage, zone: Zone) -> None:
    made = await add(stage)
    zone.away = True

    assert await stage.ada.refused("POST", f"{stage.domains}/{made['id']}/verify", 503) == "dns_unavailable"
    assert (await listed(stage))[0]["verified_at"] is None


@on_one_database
@under(organizations={"domain_checks": "2/hour", "max_domains": 2})
async def test_domains_and_look_ups_are_limited(stage: Stage, zone: Zone) -> None:
    made = await add(stage)
    path = f"{stage.domains}/{made['id']}/verify"
    await stage.ada.refused("POST", path, 409)
    await stage.ada.refused("POST", path, 409)

    assert await stage.ada.refused("POST", path, 429) == "too_many_domain_checks"
    assert len(zone.asked) == 2
    body = {"domain": OURS}
    assert await stage.ada.refused("POST", stage.domains, 409, json=body) == "domain_added"
    await add(stage, "second.example.com")
    body = {"domain": "third.example.com"}
    assert await stage.ada.refused("POST", stage.domains, 409, json=body) == "domain_limit"


@pytest.mark.bar("CVE-2026-55670")
async def test_a_domain_has_one_owner_until_his_record_is_gone(stage: Stage, zone: Zone) -> None:
    first = await proven(stage, zone, joins="member")
    other = await stage.organizations.make(stage.bob, "Other")
    at = f"/organizations/{other.id}/domains"
    second = await add(stage, by=stage.bob, at=at)
    zone.records[HOST].append(second["record"]["value"])
    taken = await stage.bob.refused("POST", f"{at}/{second['id']}/verify", 409)
    kept = await listed(stage)
    stage.mails.clear()
    zone.records[HOST].remove(first["record"]["value"])
    moved = await stage.bob.ask("POST", f"{at}/{second['id']}/verify")

    assert taken == "domain_taken"
    assert kept[0]["verified_at"] is not None
    assert moved["verified_at"] is not None
    assert (moved["joins_automatically"], moved["role"]) == (False, "member")
    [lost] = await listed(stage)
    assert (lost["verified_at"], lost["joins_automatically"]) == (None, False)
    [told] = stage.mails.to(stage.ada.address)
    assert OURS in told.subject


async def test_two_who_verify_at_once_are_one_owner(stage: Stage, zone: Zone) -> None:
    first = await add(stage)
    other = await stage.organizations.make(stage.bob, "Other")
    at = f"/organizations/{other.id}/domains"
    second = await add(stage, by=stage.bob, at=at)
    zone.records[HOST] = [first["record"]["value"], second["record"]["value"]]
    answers = await asyncio.gather(
        stage.ada.signed_in.request("POST", f"{stage.domains}/{first['id']}/verify"),
        stage.bob.signed_in.request("POST", f"{at}/{second['id']}/verify"),
    )

    assert sorted(answer.status_code for answer in answers) == [200, 409]


async def test_a_record_that_goes_missing_takes_the_proof_after_three_look_ups(
    stage: Stage, zone: Zone
) -> None:
    await proven(stage, zone, joins="member")
    zone.records.clear()
    zone.asked.clear()
    stage.mails.clear()
    seen = []
    for days in (6, 1, 1, 1, 1):
        await stage.pass_time(timedelta(days=days, minutes=1))
        await do_job(stage.runtime, recheck_domains)
        [row] = await listed(stage)
        seen.append((row["verified_at"] is not None, row["failed_checks"], row["joins_automatically"]))

    assert seen == [(True, 0, True), (True, 1, True), (True, 2, True), (False, 0, False), (False, 0, False)]
    assert len(zone.asked) == 3
    told: list[CapturedMail] = [mail for mail in stage.mails.to(stage.ada.address) if OURS in mail.subject]
    assert len(told) == 1
    assert "Acme" in told[0].text


@on_one_database
async def test_a_record_that_is_found_again_counts_from_the_start(stage: Stage, zone: Zone) -> None:
    verified = await proven(stage, zone)
    zone.away = True
    await stage.pass_time(timedelta(days=7, minutes=1))
    await do_job(stage.runtime, recheck_domains)
    failed = (await listed(stage))[0]["failed_checks"]
    zone.away = False
    await stage.pass_time(timedelta(days=1, minutes=1))
    await do_job(stage.runtime, recheck_domains)

    [row] = await listed(stage)
    assert failed == 1
    assert (row["failed_checks"], row["verified_at"]) == (0, verified["verified_at"])


async def test_who_proves_an_address_of_the_domain_joins(stage: Stage, zone: Zone) -> None:
    await proven(stage, zone, joins="viewer")
    dora = await newcomer(stage, f"Dora@{OURS.upper()}")
    await run_due_jobs(stage.runtime)
    before = await stage.roles_of(dora.id)
    await prove(stage, dora)

    assert before is None
    assert await stage.roles_of(dora.id) == ["viewer"]
    member = await stage.ada.ask("GET", f"/organizations/{stage.acme.id}/members/{dora.id}")
    assert member["how"] == "by_domain"


async def test_who_moves_to_an_address_of_the_domain_joins(stage: Stage, zone: Zone) -> None:
    await proven(stage, zone, joins="member")
    await stage.bob.ask("POST", "/auth/email/change", 202, json={"email": f"bob@{OURS}"})
    token = stage.mails.last(to=f"bob@{OURS}").links[0].partition("token=")[2]
    await EmailAddresses(stage.runtime, stage.runtime.unit()).verify(token)
    await run_due_jobs(stage.runtime)

    assert await stage.roles_of(stage.bob.id) == ["member"]


@on_one_database
async def test_who_signs_up_by_an_invitation_elsewhere_joins_by_the_domain_too(
    stage: Stage, zone: Zone
) -> None:
    await proven(stage, zone, joins="viewer")
    other = await stage.organizations.make(stage.bob, "Other")
    email = f"dora@{OURS}"
    await stage.bob.ask("POST", f"/organizations/{other.id}/invitations", 201, json={"email": email})
    wish = {"email": email, "password": "paper clip orange thunder", "invitation": stage.token(email)}
    made = (await stage.client.post("/api/v1/auth/register", json=wish)).json()
    await run_due_jobs(stage.runtime)

    assert await stage.roles_of(made["id"]) == ["viewer"]


@on_one_database
async def test_other_domains_do_not_join(stage: Stage, zone: Zone) -> None:
    await proven(stage, zone, joins="member")
    for domain in (f"mail.{OURS}", f"x{OURS}", f"{OURS}.evil.example", "example.com"):
        await prove(stage, await newcomer(stage, f"eve@{domain}"))

    assert await stage.members() == 1


@on_one_database
@pytest.mark.parametrize("ending", ["not switched on", "removed", "switched off", "deleted", "lost"])
async def test_nobody_joins_by_a_domain_that_does_not_count(stage: Stage, zone: Zone, ending: str) -> None:
    domain = await proven(stage, zone, joins=None if ending == "not switched on" else "member")
    if ending == "removed":
        await stage.ada.ask("DELETE", f"{stage.domains}/{domain['id']}", 204)
    elif ending == "switched off":
        await stage.organizations.disable(stage.acme)
    elif ending == "deleted":
        await stage.organizations.delete(stage.acme)
    elif ending == "lost":
        zone.records.clear()
        for _ in range(3):
            await stage.pass_time(timedelta(days=8))
            await do_job(stage.runtime, recheck_domains)
    dora = await newcomer(stage, f"dora@{OURS}")
    before = await stage.members()
    await prove(stage, dora)

    assert await stage.members() == before


@pytest.mark.bar("CVE-2026-55670")
async def test_who_was_put_out_does_not_come_back_by_the_domain(stage: Stage, zone: Zone) -> None:
    await proven(stage, zone, joins="member")
    email = f"dora@{OURS}"
    dora = await newcomer(stage, email)
    await prove(stage, dora)
    owner = acting_as(stage.ada.id)
    members = Members(stage.runtime, stage.runtime.unit())
    await members.remove_member(stage.acme.id, dora.id, actor=owner)
    await prove(stage, dora)
    proves_again = await stage.roles_of(dora.id)
    await Users(stage.runtime, stage.runtime.unit()).delete_account(dora.id)
    again = await newcomer(stage, email)
    await prove(stage, again)

    assert proves_again is None
    assert await stage.roles_of(again.id) is None
    await stage.invite(email)
    invited = await stage.ada.ask("GET", f"{stage.invitations}?status=open")
    assert [row["email"] for row in invited["data"]] == [email]


@pytest.mark.bar("CVE-2026-55670")
async def test_a_deleted_organization_lets_go_of_its_domain_for_good(stage: Stage, zone: Zone) -> None:
    await proven(stage, zone, joins="member")
    await stage.organizations.delete(stage.acme)
    other = await stage.organizations.make(stage.bob, "Other")
    at = f"/organizations/{other.id}/domains"
    second = await add(stage, by=stage.bob, at=at)
    zone.records[HOST].append(second["record"]["value"])

    assert (await stage.bob.ask("POST", f"{at}/{second['id']}/verify"))["verified_at"] is not None
    async with stage.runtime.reads() as session:
        rows = (await session.execute(Domain.__table__.select())).mappings().all()
    assert sorted(row["verified_at"] is not None for row in rows) == [False, True]


@on_one_database
async def test_nobody_lets_others_join_with_more_than_he_holds(stage: Stage, zone: Zone) -> None:
    domain = await proven(stage, zone)
    path = f"{stage.domains}/{domain['id']}"
    await stage.organizations.join(stage.acme, stage.bob, "admin")
    role = {"name": "sellers", "title": "Sellers", "permissions": ["organization:ownership:transfer"]}
    strong = await stage.ada.ask("POST", f"/organizations/{stage.acme.id}/roles", 201, json=role)
    wish = {"joins_automatically": True}

    beyond = await stage.bob.refused("PATCH", path, 403, json={**wish, "role": strong["id"]})
    owner = await stage.ada.refused("PATCH", path, 409, json={**wish, "role": "owner"})
    unknown = await stage.ada.refused("PATCH", path, 404, json={**wish, "role": "nonsense"})
    assert (beyond, owner, unknown) == ("rights_not_held", "role_too_strong", "role_not_found")
    assert domain["role"] == "member"
    assert (await listed(stage))[0]["joins_automatically"] is False
    assert (await stage.bob.ask("PATCH", path, json={**wish, "role": "admin"}))["role"] == "admin"


@on_one_database
async def test_an_unproven_domain_lets_nobody_in(stage: Stage, zone: Zone) -> None:
    made = await add(stage)
    path = f"{stage.domains}/{made['id']}"

    assert (
        await stage.ada.refused("PATCH", path, 409, json={"joins_automatically": True}) == "domain_unverified"
    )
    assert zone.asked == []


async def test_a_role_that_is_gone_makes_nobody_a_member(stage: Stage, zone: Zone) -> None:
    role = {"name": "sellers", "title": "Sellers", "permissions": ["organization:member:read"]}
    roles = f"/organizations/{stage.acme.id}/roles"
    made = await stage.ada.ask("POST", roles, 201, json=role)
    await proven(stage, zone, joins=made["id"])
    await stage.ada.ask("DELETE", f"{roles}/{made['id']}", 204)
    dora = await newcomer(stage, f"dora@{OURS}")
    await prove(stage, dora)

    assert await stage.roles_of(dora.id) is None
    assert ("organization.joining_refused", "refused", "role_not_found") in await trail(stage.runtime)


async def test_changes_are_made_to_the_version_that_was_seen(stage: Stage, zone: Zone) -> None:
    domain = await proven(stage, zone)
    path = f"{stage.domains}/{domain['id']}"
    answer = await stage.ada.signed_in.request("PATCH", path, json={"joins_automatically": True})
    stale = {"If-Match": '"1"'}

    assert answer.headers["ETag"]
    await stage.ada.refused("PATCH", path, 412, json={"joins_automatically": False}, headers=stale)
    await stage.ada.refused("DELETE", path, 412, headers=stale)
    await stage.ada.ask("DELETE", path, 204, headers={"If-Match": answer.headers["ETag"]})


@on_one_database
async def test_outsiders_and_plain_members_see_no_domain(stage: Stage, zone: Zone) -> None:
    made = await add(stage)
    other = await stage.organizations.make(stage.bob, "Other")
    paths = [
        ("GET", stage.domains, None),
        ("POST", stage.domains, {"domain": "b.example.com"}),
        ("POST", f"{stage.domains}/{made['id']}/verify", None),
        ("PATCH", f"{stage.domains}/{made['id']}", {"joins_automatically": False}),
        ("DELETE", f"{stage.domains}/{made['id']}", None),
    ]
    for method, path, body in paths:
        assert await stage.bob.refused(method, path, 404, json=body) == "organization_not_found"
        if made["id"] in path:
            moved = path.replace(str(stage.acme.id), str(other.id))
            assert await stage.bob.refused(method, moved, 404, json=body) == "domain_not_found"
    await stage.organizations.join(stage.acme, stage.bob)
    for method, path, body in paths:
        assert await stage.bob.refused(method, path, 403, json=body) == "permission_denied"
    assert await count(stage.runtime, Domain) == 1
    assert zone.asked == []


@on_one_database
async def test_an_address_that_was_only_asserted_joins_nowhere(stage: Stage, zone: Zone) -> None:
    await proven(stage, zone, joins="member")
    new = NewUser(email=parse_address(f"dora@{OURS}"), email_verified=True)
    async with stage.runtime.unit() as unit:
        dora: UserId = (await Users(stage.runtime, unit).create_user(new)).id
    await run_due_jobs(stage.runtime)

    assert await stage.roles_of(dora) is None


async def test_erasing_an_organization_leaves_no_domain_invitation_or_departure(
    stage: Stage, zone: Zone
) -> None:
    await proven(stage, zone)
    await stage.invite()
    await stage.organizations.join(stage.acme, stage.bob)
    owner = acting_as(stage.ada.id)
    await Members(stage.runtime, stage.runtime.unit()).remove_member(stage.acme.id, stage.bob.id, actor=owner)
    before = [await count(stage.runtime, kind) for kind in (Domain, Invitation, Departure)]
    await stage.organizations.delete(stage.acme)
    stage.clock.advance(timedelta(days=30))
    await OrganizationLifecycle(stage.runtime, stage.runtime.unit()).erase(stage.acme.id)

    assert before == [1, 1, 1]
    assert [await count(stage.runtime, kind) for kind in (Domain, Invitation, Departure)] == [0, 0, 0]


async def switch_on(stage: Stage, domain: dict[str, Any], role: str = "viewer", *, on: bool = True) -> None:
    """Let people of the domain join, and have those let in who had proven theirs before."""
    wish = {"joins_automatically": on, "role": role}
    await stage.ada.ask("PATCH", f"{stage.domains}/{domain['id']}", json=wish)
    await run_due_jobs(stage.runtime)


async def test_who_had_proven_his_address_before_joins_when_it_is_switched_on(
    stage: Stage, zone: Zone
) -> None:
    domain = await proven(stage, zone)
    people = [await newcomer(stage, f"{name}@{OURS}") for name in ("dora", "emil", "fred")]
    for each in people[:2]:
        await prove(stage, each)
    elsewhere = await newcomer(stage, f"gina@mail.{OURS}")
    await prove(stage, elsewhere)
    before = await stage.members()

    await switch_on(stage, domain)
    await switch_on(stage, domain, on=False)
    await prove(stage, people[2])
    after_switching_off = await stage.roles_of(people[2].id)
    await switch_on(stage, domain)

    assert before == 1
    assert [await stage.roles_of(each.id) for each in people] == [["viewer"]] * 3
    assert after_switching_off is None
    assert await stage.roles_of(elsewhere.id) is None
    joined = await joined_by(stage)
    assert joined == dict.fromkeys([each.id for each in people], stage.ada.id)


async def joined_by(stage: Stage) -> dict[Any, Any]:
    """Return by whose act each newcomer became a member, as the trail has it."""
    query = select(AuditEntry).where(AuditEntry.action == "organization.member_joined")
    async with stage.runtime.reads() as session:
        rows = (await session.scalars(query)).all()
    return {row.subject_id: row.actor_id for row in rows if row.details["how"] == "by_domain"}


@pytest.mark.bar("CVE-2026-55670")
async def test_switching_it_on_lets_nobody_in_who_left_or_proved_nothing(stage: Stage, zone: Zone) -> None:
    domain = await proven(stage, zone, joins="member")
    left = await newcomer(stage, f"dora@{OURS}")
    await prove(stage, left)
    owner, members = acting_as(stage.ada.id), Members(stage.runtime, stage.runtime.unit())
    await members.remove_member(stage.acme.id, left.id, actor=owner)
    await switch_on(stage, domain, on=False)
    unproven = await newcomer(stage, f"emil@{OURS}")
    asserted = await add_person(stage.runtime, f"fred@{OURS}")
    off = await newcomer(stage, f"gina@{OURS}")
    await prove(stage, off)
    await Users(stage.runtime, stage.runtime.unit()).deactivate_user(off.id)
    before = await stage.members()

    await switch_on(stage, domain, "member")
    none_of_them = [await stage.roles_of(each.id) for each in (left, unproven, asserted, off)]
    for each in (asserted, off):
        await Users(stage.runtime, stage.runtime.unit()).deactivate_user(each.id)
        await Users(stage.runtime, stage.runtime.unit()).activate_user(each.id)
    await run_due_jobs(stage.runtime)

    assert none_of_them == [None] * 4
    assert await stage.members() == before + 1
    assert await stage.roles_of(off.id) == ["member"]  # as soon as he is switched on again
    assert await stage.roles_of(asserted.id) is None


@on_one_database
async def test_who_proved_it_while_the_organization_was_switched_off_joins_afterwards(
    stage: Stage, zone: Zone
) -> None:
    await proven(stage, zone, joins="viewer")
    await stage.organizations.disable(stage.acme)
    dora = await newcomer(stage, f"dora@{OURS}")
    await prove(stage, dora)
    members_then = await stage.members()
    lifecycle = OrganizationLifecycle(stage.runtime, stage.runtime.unit())
    await lifecycle.enable(stage.acme.id, actor=acting_as(stage.ada.id, roles=frozenset({"superuser"})))
    await run_due_jobs(stage.runtime)

    assert members_then == 1
    assert await stage.roles_of(dora.id) == ["viewer"]


@on_one_database
async def test_many_are_let_in_some_at_a_time(
    stage: Stage, zone: Zone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those of whom the list of the first time knew nothing, and when the role is gone it ends."""
    monkeypatch.setattr(joining, "AT_ONCE", 2)
    domain = await proven(stage, zone)
    people = [await newcomer(stage, f"person{number}@{OURS}") for number in range(5)]
    for each in people:
        await prove(stage, each)

    await switch_on(stage, domain)
    await run_due_jobs(stage.runtime)

    assert [await stage.roles_of(each.id) for each in people] == [["viewer"]] * 5
