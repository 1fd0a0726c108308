"""Signing up by an invitation: the link proves the address, and nothing else about it changes."""

import asyncio
from collections import Counter
from typing import Any

import httpx2
import pytest

from portico.organizations.models import Invitation
from portico.users.models import User
from tests.credentials.acts import count, knows_password, under
from tests.organizations.stage import API, Stage, code_of, on_one_database
from tests.sessions.people import PASSWORD, add_person, sign_in

pytestmark = pytest.mark.anyio

CAROL = "carol@example.org"
NEW = "paper clip orange thunder"
REQUIRED = {"users": {"email_verification": "required"}}
BAD = (400, "invitation_invalid")


async def sign_up(stage: Stage, token: str | None, email: str = CAROL, **more: Any) -> httpx2.Response:
    body = {"email": email, "password": NEW, "invitation": token, **more}
    return await stage.client.post(f"{API}/auth/register", json=body)


@pytest.mark.parametrize("settings_overrides", [{}, REQUIRED], ids=["optional", "required"])
async def test_the_link_makes_a_proven_account_that_is_a_member(stage: Stage) -> None:
    await stage.invite(CAROL, roles=["admin"])
    token = stage.token(CAROL)
    stage.mails.clear()
    answer = await sign_up(stage, token, full_name="Carol")
    carol = await sign_in(stage.client, CAROL, NEW)
    again = await sign_up(stage, token, "carol2@example.org")

    made = answer.json()
    assert (answer.status_code, made["email"], made["email_verified"]) == (201, CAROL, True)
    assert await stage.roles_of(made["id"]) == ["admin"]
    assert [mail.subject for mail in stage.mails.to(CAROL) if "onfirm" in mail.subject] == []
    seen = await carol.request("GET", "/organizations")
    assert [row["name"] for row in seen.json()["data"]] == ["Acme"]
    assert code_of(again) == BAD


@on_one_database
async def test_another_address_gets_the_answer_of_an_unknown_invitation(stage: Stage) -> None:
    await stage.invite(CAROL)
    other = await sign_up(stage, stage.token(CAROL), "eve@example.org")
    unknown = await sign_up(stage, "poi_" + "A" * 49)

    assert code_of(other) == code_of(unknown) == BAD
    assert {**other.json(), "request_id": ""} == {**unknown.json(), "request_id": ""}
    assert await count(stage.runtime, User) == 2


@on_one_database
async def test_an_address_is_compared_by_its_normal_form(stage: Stage) -> None:
    await stage.invite("Carol@EXAMPLE.org")

    assert (await sign_up(stage, stage.token("Carol@EXAMPLE.org"))).status_code == 201


@pytest.mark.bar("CHECK-10")
async def test_who_brings_the_invitation_gets_an_unproven_account_empty(stage: Stage) -> None:
    squatter = await add_person(stage.runtime, CAROL, username="squatter", verified=False)
    signed_in = await sign_in(stage.client, CAROL, PASSWORD)
    await stage.invite(CAROL)
    answer = await sign_up(stage, stage.token(CAROL), username="carol.real")

    assert answer.status_code == 201
    assert answer.json()["id"] == str(squatter.id)
    assert (answer.json()["username"], answer.json()["email_verified"]) == ("carol.real", True)
    assert await knows_password(stage.runtime, CAROL, NEW)
    assert not await knows_password(stage.runtime, CAROL, PASSWORD)
    assert (await signed_in.who_am_i()).status_code == 401
    assert await stage.roles_of(squatter.id) == ["member"]


@on_one_database
async def test_a_proven_account_signs_in_instead_and_keeps_the_invitation(stage: Stage) -> None:
    await stage.invite()
    token = stage.token()
    taken = await sign_up(stage, token, stage.bob.address)

    assert code_of(taken) == (409, "email_taken")
    assert not await knows_password(stage.runtime, stage.bob.address, NEW)
    assert (await stage.accept(token)).status_code == 200


@pytest.mark.bar("CHECK-12")
async def test_of_twenty_who_sign_up_at_once_one_does(stage: Stage) -> None:
    await stage.invite(CAROL)
    token = stage.token(CAROL)
    answers = await asyncio.gather(*(sign_up(stage, token) for _ in range(20)))

    codes = Counter(answer.status_code for answer in answers)
    assert codes[201] == 1
    assert set(codes) <= {201, 400, 409, 503}, codes
    assert await stage.members() == 2
    assert await count(stage.runtime, User) == 3


@under(users={"registration": "invite"})
async def test_an_invitation_of_an_organization_admits_where_sign_up_is_by_invitation(stage: Stage) -> None:
    await stage.invite(CAROL)
    without = await sign_up(stage, None)

    assert code_of(without) == (403, "invitation_required")
    assert (await sign_up(stage, stage.token(CAROL))).status_code == 201


@on_one_database
@under(users={"registration": "closed"})
async def test_where_sign_up_is_closed_an_invitation_opens_nothing(stage: Stage) -> None:
    await stage.invite(CAROL)

    assert code_of(await sign_up(stage, stage.token(CAROL))) == (403, "registration_closed")
    await stage.invite()
    assert (await stage.accept(stage.token())).status_code == 200


@on_one_database
async def test_a_refused_password_leaves_the_invitation_open(stage: Stage) -> None:
    made = await stage.invite(CAROL)
    refused = await sign_up(stage, stage.token(CAROL), password="password1")

    assert code_of(refused) == (400, "password_rejected")
    listed = await stage.ada.ask("GET", f"{stage.invitations}/{made['id']}")
    assert listed["status"] == "open"
    assert await count(stage.runtime, Invitation) == 1
