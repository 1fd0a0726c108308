"""One check for people, keys and jobs: whom a route lets in, and what it answers to the others."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import httpx2
import pytest
from sqlalchemy import select

from portico.access.services import Tenants, acting_for, authorize
from portico.access.types import PlatformRole, SignInRules
from portico.audit.models import AuditEntry
from portico.core.errors import PorticoError
from portico.core.ids import OrganizationId
from portico.http.access import NotPermitted, OrganizationNotFound
from portico.http.authentication import CredentialKind, PrincipalKind
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from tests.access.conftest import House, Paper, PaperPermission, as_

pytestmark = pytest.mark.anyio

PAPERS = "/api/v1/papers"


def code_of(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


async def set_rules(runtime: Runtime, organization_id: OrganizationId, rules: SignInRules) -> None:
    async with (unit := runtime.unit()):
        await Tenants(runtime, unit).set_rules(organization_id, rules)


@pytest.mark.bar("ASVS-8.2.1", "ASVS-8.2.2")
async def test_the_organization_of_the_path_decides_whom_a_route_lets_in(
    client: httpx2.AsyncClient, house: House
) -> None:
    owner = await house.principal("owner")
    ours, theirs = await house.tenant(owner), await house.tenant(await house.principal("stranger"))
    viewer = await house.principal("viewer")
    await house.grant(ours, viewer.id, "viewer")

    def at(organization: object, rest: str = "") -> str:
        return f"/api/v1/organizations/{organization}/papers{rest}"

    read = await client.get(at(ours), headers=as_("viewer"))
    write = await client.get(at(ours, "/write"), headers=as_("viewer"))
    elsewhere = await client.get(at(theirs), headers=as_("viewer"))
    nowhere = await client.get(at(uuid4()), headers=as_("viewer"))
    malformed = await client.get(at("x"), headers=as_("viewer"))
    anonymous = await client.get(at(ours))

    assert read.json() == {"organization_id": str(ours)}
    assert code_of(write) == (403, "permission_denied")
    assert code_of(elsewhere) == code_of(nowhere) == code_of(malformed) == (404, "organization_not_found")
    assert elsewhere.json() | {"request_id": ""} == nowhere.json() | {"request_id": ""}
    assert anonymous.status_code == 401


async def test_without_an_organization_in_the_path_the_active_one_decides(
    client: httpx2.AsyncClient, house: House
) -> None:
    owner = await house.principal("owner")
    ours = await house.tenant(owner)
    member = await house.principal("member")
    await house.grant(ours, member.id, "member")
    house.known(replace(member, organization_id=ours), "in ours")
    house.known(replace(await house.principal("bob"), organization_id=ours), "intruder")

    inside = await client.get(PAPERS, headers=as_("in ours"))
    nowhere = await client.get(PAPERS, headers=as_("member"))
    intruder = await client.get(PAPERS, headers=as_("intruder"))

    assert inside.json() == {"organization_id": str(ours)}
    assert code_of(nowhere) == (403, "organization_required")
    assert code_of(intruder) == (404, "organization_not_found")


@pytest.mark.bar("ASVS-8.3.2", "CVE-2024-46999")
async def test_a_right_that_is_taken_is_gone_with_the_next_request(
    client: httpx2.AsyncClient, house: House, runtime: Runtime
) -> None:
    owner = await house.principal("owner")
    ours = await house.tenant(owner)
    member = replace(await house.principal("member"), organization_id=ours)
    house.known(member, "member")
    await house.grant(ours, member.id, "member")
    before = await client.get(f"{PAPERS}/write", headers=as_("member"))

    await house.grant(ours, member.id, "viewer", actor=owner)
    demoted = await client.get(f"{PAPERS}/write", headers=as_("member"))
    async with (unit := runtime.unit()):
        await Tenants(runtime, unit).disable(ours)
    disabled = await client.get(PAPERS, headers=as_("member"))
    async with (unit := runtime.unit()):
        await Tenants(runtime, unit).enable(ours)
    enabled = await client.get(PAPERS, headers=as_("member"))

    assert before.status_code == 200
    assert code_of(demoted) == (403, "permission_denied")
    assert code_of(disabled) == (403, "organization_disabled")
    assert enabled.status_code == 200


async def test_the_scopes_of_a_credential_narrow_what_its_holder_may(
    client: httpx2.AsyncClient, house: House
) -> None:
    owner = await house.principal("owner")
    ours, other = await house.tenant(owner), await house.tenant(owner)
    key = replace(
        owner,
        credential=CredentialKind.API_KEY,
        organization_id=ours,
        scopes=frozenset({"paper:paper:read", "paper:paper:sign"}),
    )
    house.known(key, "key")
    house.known(replace(key, scopes=frozenset({"paper:self:list"})), "narrow")

    read = await client.get(PAPERS, headers=as_("key"))
    write = await client.get(f"{PAPERS}/write", headers=as_("key"))
    sign = await client.get(f"{PAPERS}/sign", headers=as_("key"))
    elsewhere = await client.get(f"/api/v1/organizations/{other}/papers", headers=as_("key"))
    narrow = await client.get(PAPERS, headers=as_("narrow"))
    own = await client.get("/api/v1/own-papers", headers=as_("narrow"))

    assert read.status_code == own.status_code == 200
    assert code_of(write) == code_of(narrow) == (403, "insufficient_scope")
    assert code_of(sign) == (403, "person_needed")
    assert code_of(elsewhere) == (404, "organization_not_found")


@pytest.mark.bar("ASVS-8.3.3")
async def test_whoever_acts_in_anothers_name_has_no_interactive_rights(
    client: httpx2.AsyncClient, house: House
) -> None:
    owner, helper = await house.principal("owner"), await house.principal("helper")
    ours = await house.tenant(owner)
    house.known(replace(owner, organization_id=ours), "owner")
    house.known(replace(owner, organization_id=ours, actor_id=helper.id), "impersonator")

    himself = await client.get("/api/v1/own-papers/burn", headers=as_("owner"))
    signed = await client.get(f"{PAPERS}/sign", headers=as_("owner"))
    in_his_name = await client.get("/api/v1/own-papers/burn", headers=as_("impersonator"))
    read = await client.get(PAPERS, headers=as_("impersonator"))

    assert (himself.status_code, signed.status_code, read.status_code) == (200, 200, 200)
    assert code_of(in_his_name) == (403, "person_needed")


async def test_platform_permissions_go_by_platform_role_and_superusers_hold_all(
    client: httpx2.AsyncClient, house: House
) -> None:
    ours = await house.tenant(await house.principal("owner"))
    await house.principal("nobody")
    await house.principal("auditor", roles=frozenset({PlatformRole.AUDITOR.value}))
    await house.principal("root", roles=frozenset({PlatformRole.SUPERUSER.value}))
    inside = f"/api/v1/organizations/{ours}/papers/write"

    counts = [
        await client.get("/api/v1/all-papers", headers=as_(who)) for who in ("nobody", "auditor", "root")
    ]
    writes = [await client.get(inside, headers=as_(who)) for who in ("nobody", "auditor", "root")]

    assert [answer.status_code for answer in counts] == [403, 200, 200]
    assert [answer.status_code for answer in writes] == [404, 404, 200]


@pytest.mark.parametrize(
    ("rules", "facts", "code"),
    [
        (SignInRules(min_aal=2), {"aal": 1}, "second_factor_required"),
        (SignInRules(min_aal=2), {"aal": 2}, ""),
        (SignInRules(methods=frozenset({"otp"})), {"amr": ("pwd",)}, "sign_in_method_refused"),
        (SignInRules(methods=frozenset({"otp"})), {"amr": ("pwd", "otp")}, ""),
        (SignInRules(max_age=timedelta(hours=1)), {"age": 61}, "reauthentication_required"),
        (SignInRules(max_age=timedelta(hours=1)), {"age": 59}, ""),
        (SignInRules(max_age=timedelta(hours=1)), {"auth_time": None}, "reauthentication_required"),
    ],
)
@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_an_organization_says_how_one_must_have_signed_in(
    *,
    client: httpx2.AsyncClient,
    house: House,
    runtime: Runtime,
    rules: SignInRules,
    facts: dict[str, object],
    code: str,
) -> None:
    owner = await house.principal("owner")
    ours = await house.tenant(owner)
    await set_rules(runtime, ours, rules)
    age = facts.pop("age", 0)
    signed_in = runtime.clock.now() - timedelta(minutes=age)  # type: ignore[arg-type]
    house.known(house.person(owner.id, organization_id=ours, **({"auth_time": signed_in} | facts)), "ada")
    machine = replace(owner, credential=CredentialKind.API_KEY, organization_id=ours)
    house.known(machine, "machine")

    answer = await client.get(PAPERS, headers=as_("ada"))
    by_key = await client.get(PAPERS, headers=as_("machine"))

    assert code_of(answer) == ((403, code) if code else (200, ""))
    assert by_key.status_code == 200


async def test_a_rule_of_the_route_is_asked_besides_the_role(
    client: httpx2.AsyncClient, house: House, clock: FrozenClock
) -> None:
    owner = await house.principal("owner")
    ours = await house.tenant(owner)
    house.known(house.person(owner.id, organization_id=ours), "owner")

    fresh = await client.get(f"{PAPERS}/recent", headers=as_("owner"))
    clock.advance(timedelta(minutes=10, seconds=1))
    old = await client.get(f"{PAPERS}/recent", headers=as_("owner"))

    assert fresh.status_code == 200
    assert code_of(old) == (403, "reauthentication_required")


async def test_a_policy_widens_or_narrows_what_the_role_says_of_a_thing(
    runtime: Runtime, house: House
) -> None:
    owner = await house.principal("owner")
    ours = await house.tenant(owner)
    member = replace(await house.principal("member"), organization_id=ours)
    await house.grant(ours, member.id, "member")
    stranger = replace(await house.principal("stranger"), organization_id=ours)
    his, hers = Paper(author_id=member.id), Paper(author_id=owner.id)

    await authorize(runtime, member, PaperPermission.DELETE, his)
    await authorize(runtime, replace(owner, organization_id=ours), PaperPermission.DELETE, his)
    with pytest.raises(NotPermitted):
        await authorize(runtime, member, PaperPermission.DELETE, hers)
    with pytest.raises(NotPermitted):
        await authorize(runtime, member, PaperPermission.DELETE)
    with pytest.raises(OrganizationNotFound):
        await authorize(runtime, stranger, PaperPermission.DELETE, Paper(author_id=stranger.id))


@pytest.mark.bar("ASVS-8.3.3")
async def test_a_job_acts_with_the_rights_that_its_subject_has_now(runtime: Runtime, house: House) -> None:
    owner = await house.principal("owner")
    ours = await house.tenant(owner)
    member = await house.principal("member")
    await house.grant(ours, member.id, "member")

    subject = await acting_for(runtime, member.id, ours)
    await authorize(runtime, subject, PaperPermission.WRITE)
    await house.grant(ours, member.id, "viewer", actor=owner)

    with pytest.raises(NotPermitted):
        await authorize(runtime, await acting_for(runtime, member.id, ours), PaperPermission.WRITE)
    with pytest.raises(NotPermitted):
        await acting_for(runtime, uuid4())  # type: ignore[arg-type]


@pytest.mark.bar("ASVS-16.3.2", "ASVS-16.3.3")
async def test_a_refusal_is_on_the_trail_once_a_minute(
    client: httpx2.AsyncClient, house: House, runtime: Runtime, clock: FrozenClock
) -> None:
    ours = await house.tenant(await house.principal("owner"))
    viewer = await house.principal("viewer")
    await house.grant(ours, viewer.id, "viewer")
    path = f"/api/v1/organizations/{ours}/papers/write"

    for _ in range(3):
        await client.get(path, headers=as_("viewer"))
    clock.advance(timedelta(seconds=61))
    await client.get(path, headers=as_("viewer"))

    async with runtime.reads() as session:
        query = select(AuditEntry).where(AuditEntry.action == "permission.refused")
        entries = (await session.scalars(query)).all()
    assert [(entry.actor_id, entry.reason, entry.organization_id) for entry in entries] == [
        (viewer.id, "not_held", ours)
    ] * 2


async def test_a_refusal_inside_an_open_unit_is_kept_and_nothing_else(runtime: Runtime, house: House) -> None:
    ours = await house.tenant(await house.principal("owner"))
    viewer = replace(await house.principal("viewer"), organization_id=ours)
    await house.grant(ours, viewer.id, "viewer")

    with pytest.raises(PorticoError):
        async with (unit := runtime.unit()):
            await authorize(runtime, viewer, PaperPermission.WRITE, unit=unit)

    async with runtime.reads() as session:
        query = select(AuditEntry.actor_id).where(AuditEntry.action == "permission.refused")
        assert (await session.scalars(query)).all() == [viewer.id]


async def test_an_organizations_own_principal_holds_what_its_key_names(
    runtime: Runtime, house: House
) -> None:
    ours = await house.tenant(await house.principal("owner"))
    itself = replace(
        house.person(ours),
        kind=PrincipalKind.ORGANIZATION,
        credential=CredentialKind.API_KEY,
        organization_id=ours,
        scopes=frozenset({"paper:paper:read"}),
    )

    await authorize(runtime, itself, PaperPermission.READ)

    with pytest.raises(PorticoError):
        await authorize(runtime, itself, PaperPermission.WRITE)
