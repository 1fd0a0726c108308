"""Invitations that lead into teams: never further than whoever sent them could put somebody himself."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from portico.audit.models import AuditEntry
from portico.organizations.models import Invitation
from tests.credentials.acts import count
from tests.organizations.conftest import Caller
from tests.organizations.stage import API, BOB, Stage, code_of

pytestmark = pytest.mark.anyio

CAROL = "carol@example.org"
VOID = (409, "invitation_void")


@pytest.fixture
async def team(stage: Stage) -> str:
    """A team whose members are administrators by it."""
    return await make_team(stage, "Mechanics", "admin")


async def make_team(stage: Stage, name: str, *roles: str) -> str:
    made = await stage.ada.ask("POST", teams(stage), 201, json={"name": name})
    await stage.ada.ask("PUT", f"{teams(stage)}/{made['id']}/roles", json={"roles": list(roles)})
    return str(made["id"])


def teams(stage: Stage) -> str:
    return f"/organizations/{stage.acme.id}/teams"


async def members_of(stage: Stage, team: str) -> set[str]:
    answer = await stage.ada.ask("GET", f"{teams(stage)}/{team}/members")
    return {member["user_id"] for member in answer["data"]}


async def make_recruiter(stage: Stage, *more: str) -> Caller:
    """Return a member who may invite, and nothing else but what is said."""
    held = [f"organization:{name}" for name in ("organization:read", "member:read", "member:invite", *more)]
    wish = {"name": f"recruiter-{len(more)}", "title": "Recruiter", "permissions": held}
    role = await stage.ada.ask("POST", f"/organizations/{stage.acme.id}/roles", 201, json=wish)
    eve = await stage.enter(f"eve{len(more)}")
    await stage.organizations.join(stage.acme, eve, role["id"])
    return eve


async def put_into_teams(stage: Stage) -> list[tuple[UUID | None, UUID | None, Any]]:
    """Return who was put into which team by whom, as the trail has it."""
    query = select(AuditEntry).where(AuditEntry.action == "team.member_added").order_by(AuditEntry.id)
    async with stage.runtime.reads() as session:
        return [(row.subject_id, row.actor_id, row.details["user"]) for row in await session.scalars(query)]


@pytest.mark.parametrize("way", ["link", "id", "sign-up"])
async def test_whoever_accepts_belongs_to_the_teams(stage: Stage, team: str, way: str) -> None:
    other = await make_team(stage, "Weavers")
    email = CAROL if way == "sign-up" else BOB
    made = await stage.invite(email, roles=["viewer"], teams=[team, other, team])

    if way == "sign-up":
        wish = {"email": CAROL, "password": "paper clip orange thunder", "invitation": stage.token(CAROL)}
        who = (await stage.client.post(f"{API}/auth/register", json=wish)).json()["id"]
    else:
        who = str(stage.bob.id)
        path = "/invitations/accept" if way == "link" else f"/invitations/{made['id']}/accept"
        [offer] = (await stage.bob.ask("GET", "/invitations"))["data"]
        assert offer["team_names"] == ["Mechanics", "Weavers"]
        joined = await stage.bob.ask("POST", path, json={"token": stage.token()} if way == "link" else None)
        assert sorted(joined["roles"]) == ["admin", "viewer"]

    assert made["teams"] == sorted([team, other])
    assert await members_of(stage, team) == await members_of(stage, other) == {who}
    assert {(str(team), str(actor), user) for team, actor, user in await put_into_teams(stage)} == {
        (team, who, who),
        (other, who, who),
    }


@pytest.mark.bar("CHECK-1", "CVE-2025-64431")
async def test_teams_of_others_do_not_exist(stage: Stage, team: str) -> None:
    elsewhere = await stage.organizations.make(stage.ada, "Elsewhere")
    foreign = await stage.ada.ask(
        "POST", f"{elsewhere.path.removeprefix(API)}/teams", 201, json={"name": "X"}
    )

    for wrong in (foreign["id"], str(uuid4())):
        wish = {"email": BOB, "teams": [team, wrong]}
        assert await stage.ada.refused("POST", stage.invitations, 404, json=wish) == "team_not_found"
    await stage.ada.ask("POST", stage.invitations, 422, json={"email": BOB, "teams": ["none"]})
    await stage.ada.ask("POST", stage.invitations, 422, json={"email": BOB, "teams": [str(uuid4())] * 21})
    assert await count(stage.runtime, Invitation) == 0


@pytest.mark.bar("CVE-2026-9795")
async def test_nobody_invites_into_a_team_whom_he_could_not_put_there(stage: Stage, team: str) -> None:
    plain = await make_team(stage, "Weavers", "viewer")
    eve, chief = await make_recruiter(stage), await make_recruiter(stage, "team:read", "team:manage")

    for who, wanted in ((eve, plain), (eve, team), (chief, team)):
        wish = {"email": BOB, "roles": ["viewer"], "teams": [wanted]}
        refusal = await who.refused("POST", stage.invitations, 403, json=wish)
        assert refusal == "rights_not_held"
    empty = await make_team(stage, "Newcomers")
    made = await stage.invite(by=chief, roles=[(await roles_of(stage, chief))], teams=[empty])

    assert made["teams"] == [empty]
    assert await count(stage.runtime, Invitation) == 1


async def roles_of(stage: Stage, who: Caller) -> str:
    [role] = await stage.roles_of(who.id) or []
    return role


async def test_a_team_that_was_deleted_is_passed_over(stage: Stage, team: str) -> None:
    other = await make_team(stage, "Weavers")
    await stage.invite(teams=[team, other])
    await stage.ada.ask("DELETE", f"{teams(stage)}/{other}")

    assert (await stage.accept(stage.token())).status_code == 200
    assert await members_of(stage, team) == {str(stage.bob.id)}
    assert [str(subject) for subject, _, _ in await put_into_teams(stage)] == [team]


async def test_a_team_that_is_mightier_than_whoever_invited_makes_it_void(stage: Stage) -> None:
    chief = await make_recruiter(stage, "team:read", "team:manage")
    team = await make_team(stage, "Newcomers")
    made = await stage.invite(by=chief, roles=[await roles_of(stage, chief)], teams=[team])
    await stage.ada.ask("PUT", f"{teams(stage)}/{team}/roles", json={"roles": ["admin"]})

    refusal = code_of(await stage.accept(stage.token()))
    await chief.ask("POST", f"{stage.invitations}/{made['id']}/resend", 403)
    await stage.ada.ask("POST", f"{stage.invitations}/{made['id']}/resend")

    assert refusal == VOID
    assert await members_of(stage, team) == set()
    assert (await stage.accept(stage.token())).status_code == 200
    assert await members_of(stage, team) == {str(stage.bob.id)}


async def test_sending_it_again_leaves_out_what_was_deleted(stage: Stage, team: str) -> None:
    other = await make_team(stage, "Weavers")
    made = await stage.invite(teams=[team, other])
    await stage.ada.ask("DELETE", f"{teams(stage)}/{team}")

    again = await stage.ada.ask("POST", f"{stage.invitations}/{made['id']}/resend")

    assert made["teams"] == sorted([team, other])
    assert again["teams"] == [other]
