"""Invitations by the API: who may send them, who may answer them, what ends them."""

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from portico.core.ids import new_id
from portico.organizations.jobs import sweep_invitations
from portico.organizations.models import Invitation
from portico.organizations.services import Members
from portico.testing.jobs import do_job
from portico.testing.organizations import acting_as
from portico.users.services import EmailAddresses, Users
from tests.credentials.acts import count, trail, under
from tests.organizations.conftest import Caller
from tests.organizations.stage import API, BOB, Stage, code_of, on_one_database

pytestmark = pytest.mark.anyio

CAROL = "carol@example.org"
OVER = (410, "invitation_over")
VOID = (409, "invitation_void")
UNKNOWN = (400, "invitation_invalid")


async def test_an_invitation_is_mailed_and_accepted_by_its_link(stage: Stage) -> None:
    made = await stage.invite(roles=["admin"])
    token = stage.token()
    answer = await stage.accept(token)
    again = await stage.accept(token)

    assert re.fullmatch(r"poi_[A-Za-z0-9_-]{49}", token)
    assert (made["email"], made["roles"], made["status"], made["sends"]) == (BOB, ["admin"], "open", 1)
    assert token not in str(made)
    assert answer.json() == {"organization_id": str(stage.acme.id), "roles": ["admin"]}
    assert code_of(again) == OVER
    seen = await stage.bob.ask("GET", f"{stage.invitations}/{made['id']}")
    assert (seen["status"], seen["accepted_by"]) == ("accepted", str(stage.bob.id))


async def test_the_secret_is_kept_as_a_hash_only(stage: Stage) -> None:
    await stage.invite()
    async with stage.runtime.reads() as session:
        row = (await session.execute(Invitation.__table__.select())).mappings().one()

    assert len(row["secret_hash"]) == 32
    assert stage.token() not in str(dict(row))


@on_one_database
async def test_the_mail_speaks_the_language_of_the_guest_and_names_who_invites(stage: Stage) -> None:
    await stage.bob.ask("PATCH", "/users/me", json={"locale": "de"})
    await stage.ada.ask("PATCH", "/users/me", json={"full_name": "Ada Lovelace"})
    await stage.invite()
    await stage.invite(CAROL)

    german, english = stage.mails.to(BOB)[-1], stage.mails.to(CAROL)[-1]
    assert german.subject == "Ada Lovelace lädt Sie ein, Acme beizutreten"
    assert english.subject == "Ada Lovelace invites you to join Acme"
    assert stage.ada.address in english.text
    assert stage.ada.address in english.html
    assert "7 days" in english.text


@on_one_database
async def test_a_name_that_is_a_link_is_not_put_under_our_letterhead(stage: Stage) -> None:
    stage.acme = await stage.organizations.make(stage.ada, "Win at evil.example", slug="bait-club")
    await stage.ada.ask("PATCH", "/users/me", json={"full_name": "Visit https://evil.example"})
    await stage.invite()

    mail = stage.mails.to(BOB)[-1]
    assert "evil.example" not in mail.subject + mail.text + mail.html
    assert "bait-club" in mail.subject


@pytest.mark.bar("CHECK-12")
async def test_of_fifty_who_accept_at_once_one_does(stage: Stage) -> None:
    made = await stage.invite()
    token = stage.token()
    by_link = [stage.accept(token) for _ in range(25)]
    path = f"/invitations/{made['id']}/accept"
    by_id = [stage.bob.signed_in.request("POST", path) for _ in range(25)]
    answers = await asyncio.gather(*by_link, *by_id)

    codes = Counter(answer.status_code for answer in answers)
    assert codes[200] == 1
    assert set(codes) <= {200, 410, 503}, codes  # 503: no connection in time
    assert await stage.members() == 2
    actions = Counter(entry[0] for entry in await trail(stage.runtime))
    assert actions["invitation.accepted"] == 1


async def test_an_invitation_is_for_a_proven_address_only(stage: Stage) -> None:
    made = await stage.invite(CAROL)
    carol = await stage.enter("carol", verified=False)
    unseen = await carol.ask("GET", "/invitations")
    by_id = await carol.refused("POST", f"/invitations/{made['id']}/accept", 404)
    by_link = await stage.accept(stage.token(CAROL), by=carol)
    await _prove(stage, carol)
    [offer] = (await carol.ask("GET", "/invitations"))["data"]
    joined = await carol.ask("POST", f"/invitations/{made['id']}/accept")

    assert unseen == {"data": []}
    assert by_id == "invitation_not_found"
    assert code_of(by_link) == (403, "address_unproven")
    assert (offer["organization_name"], offer["inviter"]) == ("Acme", f"ada.tests ({stage.ada.address})")
    assert (offer["roles"], offer["role_titles"]) == (["member"], ["Member"])
    assert joined["roles"] == ["member"]


async def _prove(stage: Stage, who: Caller) -> None:
    addresses = EmailAddresses(stage.runtime, stage.runtime.unit())
    account = await Users(stage.runtime, stage.runtime.unit()).get_user(who.id)
    async with stage.runtime.unit() as unit:
        token = await EmailAddresses(stage.runtime, unit).issue_proof(account)
    await addresses.verify(token.secret)


@on_one_database
async def test_nobody_else_can_answer(stage: Stage) -> None:
    made = await stage.invite(CAROL)

    assert code_of(await stage.accept(stage.token(CAROL))) == (403, "invitation_for_another")
    for answer in ("accept", "decline"):
        by_id = await stage.bob.ask("POST", f"/invitations/{made['id']}/{answer}", 404)
        unknown = await stage.bob.ask("POST", f"/invitations/{new_id()}/{answer}", 404)
        assert {**by_id, "request_id": ""} == {**unknown, "request_id": ""}
        for forged in ("poi_" + "A" * 49, "ptk_" + "A" * 49, "x", stage.token(CAROL)[:-1]):
            body = {"token": forged}
            assert await stage.bob.refused("POST", f"/invitations/{answer}", 400, json=body) == UNKNOWN[1]
    assert await stage.members() == 1


@on_one_database
async def test_outsiders_and_plain_members_see_no_invitation(stage: Stage) -> None:
    made = await stage.invite(CAROL)
    paths = [
        ("GET", stage.invitations, None),
        ("POST", stage.invitations, {"email": "x@example.org"}),
        ("GET", f"{stage.invitations}/{made['id']}", None),
        ("DELETE", f"{stage.invitations}/{made['id']}", None),
        ("POST", f"{stage.invitations}/{made['id']}/resend", None),
    ]
    other = await stage.organizations.make(stage.bob, "Other")
    for method, path, body in paths:
        assert await stage.bob.refused(method, path, 404, json=body) == "organization_not_found"
        if made["id"] in path:
            moved = path.replace(str(stage.acme.id), str(other.id))
            assert await stage.bob.refused(method, moved, 404, json=body) == "invitation_not_found"
    await stage.organizations.join(stage.acme, stage.bob)
    for method, path, body in paths:
        assert await stage.bob.refused(method, path, 403, json=body) == "permission_denied"


async def test_declining_is_for_good(stage: Stage) -> None:
    made = await stage.invite()
    await stage.bob.ask("POST", f"/invitations/{made['id']}/decline", 204)

    assert code_of(await stage.accept(stage.token())) == OVER
    listed = await stage.ada.ask("GET", f"{stage.invitations}?status=declined")
    assert [row["id"] for row in listed["data"]] == [made["id"]]
    assert (await stage.ada.ask("GET", f"{stage.invitations}?status=open"))["data"] == []
    assert (await stage.invite())["id"] != made["id"]


async def test_sending_again_kills_the_earlier_link(stage: Stage) -> None:
    made = await stage.invite()
    old = stage.token()
    await stage.pass_time(timedelta(days=8))
    expired = await stage.accept(old)
    sent = await stage.ada.ask("POST", f"{stage.invitations}/{made['id']}/resend")

    assert code_of(expired) == OVER
    assert (sent["sends"], sent["status"]) == (2, "open")
    assert code_of(await stage.accept(old)) == UNKNOWN
    assert (await stage.accept(stage.token())).status_code == 200


@on_one_database
async def test_a_withdrawn_invitation_is_over(stage: Stage) -> None:
    made = await stage.invite()
    path = f"{stage.invitations}/{made['id']}"
    await stage.ada.ask("DELETE", path, 204)

    assert await stage.ada.refused("DELETE", path, 410) == OVER[1]
    assert await stage.ada.refused("POST", f"{path}/resend", 410) == OVER[1]
    assert code_of(await stage.accept(stage.token())) == OVER


async def test_one_open_invitation_an_address_and_none_for_members(stage: Stage) -> None:
    await stage.invite(CAROL)
    body = {"email": CAROL.upper()}
    assert await stage.ada.refused("POST", stage.invitations, 409, json=body) == "already_invited"
    await stage.organizations.join(stage.acme, stage.bob)
    body = {"email": BOB}
    assert await stage.ada.refused("POST", stage.invitations, 409, json=body) == "already_member"
    await stage.pass_time(timedelta(days=8))
    assert (await stage.invite(CAROL))["status"] == "open"


@on_one_database
async def test_who_is_a_member_already_does_not_use_the_invitation_up(stage: Stage) -> None:
    made = await stage.invite(roles=["admin"])
    await stage.organizations.join(stage.acme, stage.bob, "viewer")

    assert code_of(await stage.accept(stage.token())) == (409, "already_member")
    assert await stage.roles_of(stage.bob.id) == ["viewer"]
    assert (await stage.ada.ask("GET", f"{stage.invitations}/{made['id']}"))["status"] == "open"


@on_one_database
@pytest.mark.bar("CHECK-15")
async def test_inviting_tells_nothing_about_accounts(stage: Stage) -> None:
    known = await stage.ada.signed_in.request("POST", stage.invitations, json={"email": BOB})
    unknown = await stage.ada.signed_in.request("POST", stage.invitations, json={"email": CAROL})

    def told(answer: httpx2.Response) -> dict[str, Any]:
        return {**answer.json(), "id": "", "email": ""}

    def said(to: str) -> str:
        return re.sub(r"poi_\S+", "", stage.mails.to(to)[-1].text.replace(to, "x"))

    assert (known.status_code, told(known)) == (unknown.status_code, told(unknown))
    assert known.headers.keys() == unknown.headers.keys()
    assert said(BOB) == said(CAROL)


async def test_nobody_gives_by_invitation_what_he_does_not_hold(stage: Stage) -> None:
    await stage.organizations.join(stage.acme, stage.bob, "admin")
    role = {"name": "auditors", "title": "Auditors", "permissions": ["organization:audit:read"]}
    other = await stage.organizations.make(stage.ada, "Other")
    foreign = await stage.ada.ask("POST", f"/organizations/{other.id}/roles", 201, json=role)
    wishes = {"owner": "rights_not_held", "nonsense": "role_not_found", foreign["id"]: "role_not_found"}

    for wish, refusal in wishes.items():
        body = {"email": CAROL, "roles": [wish]}
        status = 403 if wish == "owner" else 404
        assert await stage.bob.refused("POST", stage.invitations, status, json=body) == refusal
    await stage.bob.ask("POST", stage.invitations, 422, json={"email": CAROL, "roles": []})
    assert await count(stage.runtime, Invitation) == 0


async def _put_out(stage: Stage, eve: Caller) -> None:
    owner = acting_as(stage.ada.id)
    await Members(stage.runtime, stage.runtime.unit()).remove_member(stage.acme.id, eve.id, actor=owner)


async def _demote(stage: Stage, eve: Caller) -> None:
    owner = acting_as(stage.ada.id)
    members = Members(stage.runtime, stage.runtime.unit())
    await members.change_roles(stage.acme.id, eve.id, ["member"], actor=owner)


async def _deactivate(stage: Stage, eve: Caller) -> None:
    await Users(stage.runtime, stage.runtime.unit()).deactivate_user(eve.id)


async def _close_account(stage: Stage, eve: Caller) -> None:
    await Users(stage.runtime, stage.runtime.unit()).delete_account(eve.id)


async def _switch_off(stage: Stage, eve: Caller) -> None:
    del eve
    await stage.organizations.disable(stage.acme)


async def _delete(stage: Stage, eve: Caller) -> None:
    del eve
    await stage.organizations.delete(stage.acme)


GONE = (404, "organization_not_found")
ENDS: dict[str, tuple[Callable[[Stage, Caller], Awaitable[None]], tuple[int, str]]] = {
    "inviter put out": (_put_out, VOID),
    "inviter demoted": (_demote, VOID),
    "inviter switched off": (_deactivate, VOID),
    "inviter's account closed": (_close_account, VOID),
    "organization switched off": (_switch_off, VOID),
    "organization deleted": (_delete, GONE),
}


@pytest.mark.bar("CHECK-3", "CVE-2026-55670")
@pytest.mark.parametrize("end", ENDS)
async def test_an_invitation_dies_with_the_right_to_invite(stage: Stage, end: str) -> None:
    eve = await stage.enter("eve")
    await stage.organizations.join(stage.acme, eve, "admin")
    made = await stage.invite(by=eve)
    await stage.invite(CAROL, by=eve)
    act, refusal = ENDS[end]
    await act(stage, eve)
    before = await stage.members()

    by_link = await stage.accept(stage.token())
    by_id = await stage.bob.signed_in.request("POST", f"/invitations/{made['id']}/accept")
    wish = {"email": CAROL, "password": "paper clip orange thunder", "invitation": stage.token(CAROL)}
    signs_up = await stage.client.post(f"{API}/auth/register", json=wish)

    assert code_of(by_link) == code_of(by_id) == refusal
    assert code_of(signs_up) == UNKNOWN
    assert await stage.members() == before


@on_one_database
async def test_who_sends_a_void_invitation_again_answers_for_it(stage: Stage) -> None:
    eve = await stage.enter("eve")
    await stage.organizations.join(stage.acme, eve, "admin")
    made = await stage.invite(by=eve)
    await _deactivate(stage, eve)
    sent = await stage.ada.ask("POST", f"{stage.invitations}/{made['id']}/resend")

    assert sent["invited_by"] == str(stage.ada.id)
    assert (await stage.accept(stage.token())).status_code == 200


@pytest.mark.bar("CVE-2026-55670")
async def test_a_slug_that_is_taken_anew_inherits_no_invitation(stage: Stage) -> None:
    await stage.invite()
    token = stage.token()
    await stage.organizations.delete(stage.acme)
    again = await stage.organizations.make(stage.ada, "Acme", slug=stage.acme.slug)

    assert code_of(await stage.accept(token)) == GONE
    assert await stage.bob.ask("GET", "/invitations") == {"data": []}
    assert (await stage.ada.ask("GET", f"/organizations/{again.id}/invitations"))["data"] == []


@on_one_database
@pytest.mark.bar("T7")
@under(organizations={"invitation_mails": "3/day", "invitation_mails_to_one": "2/day"})
async def test_inviting_is_limited(stage: Stage) -> None:
    made = await stage.invite("a@example.org")
    path = f"{stage.invitations}/{made['id']}/resend"
    await stage.ada.ask("POST", path)
    to_one = await stage.ada.signed_in.request("POST", path)
    await stage.invite("b@example.org")
    of_acme = await stage.ada.signed_in.request("POST", stage.invitations, json={"email": "c@example.org"})
    other = await stage.organizations.make(stage.ada, "Other")
    by_ada = await stage.ada.signed_in.request(
        "POST", f"/organizations/{other.id}/invitations", json={"email": "d@example.org"}
    )

    limited = (429, "too_many_invitations")
    assert code_of(to_one) == code_of(of_acme) == code_of(by_ada) == limited
    assert int(of_acme.headers["Retry-After"]) > 3600


@on_one_database
@under(organizations={"open_invitations": 1})
async def test_only_so_many_are_open(stage: Stage) -> None:
    made = await stage.invite("a@example.org")
    body = {"email": "b@example.org"}
    assert await stage.ada.refused("POST", stage.invitations, 409, json=body) == "invitation_limit"
    await stage.ada.ask("DELETE", f"{stage.invitations}/{made['id']}", 204)

    assert (await stage.invite("b@example.org"))["status"] == "open"


async def test_what_is_over_is_forgotten(stage: Stage) -> None:
    await stage.invite(CAROL)
    await stage.pass_time(timedelta(days=100))
    await stage.invite()
    await do_job(stage.runtime, sweep_invitations)

    listed = await stage.ada.ask("GET", stage.invitations)
    assert [row["email"] for row in listed["data"]] == [BOB]


async def test_a_person_sees_his_invitations_in_the_export_and_takes_them_along(stage: Stage) -> None:
    await stage.invite()
    exported = await stage.bob.ask("GET", "/users/me/export")
    await stage.bob.ask("DELETE", "/users/me")

    [held] = exported["invitations"] if "invitations" in exported else exported["data"]["invitations"]
    assert (held["organization"], held["email"], held["roles"]) == ("Acme", BOB, ["member"])
    assert await count(stage.runtime, Invitation) == 0
