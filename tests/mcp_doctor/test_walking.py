"""A sound server is found sound by every client, and each fault is named at its own step."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from portico.cli.mcp_doctor.examining import examine
from portico.cli.mcp_doctor.findings import Report, Status
from portico.cli.mcp_doctor.profiles import PROFILES, Profile
from portico.cli.mcp_doctor.steps import STEPS
from portico.cli.mcp_doctor.walking import Credentials, Options, Registering
from portico.core.crypto import b64encode
from tests.mcp_doctor.conftest import Reply, Spoil, World

pytestmark = pytest.mark.anyio

ADA = Credentials("ada", "p4ss&word")
BY_NAME: Mapping[str, Profile] = {profile.name: profile for profile in PROFILES}


async def walk(world: World, profile: str = "codex", **given: Any) -> Report:
    options = Options(**{"credentials": ADA, **given})
    (report,) = await examine(world.url, [BY_NAME[profile]], options, lambda _: None)
    return report


def told(report: Report) -> dict[str, Status]:
    return {finding.step: finding.status for finding in report.findings}


@pytest.mark.parametrize("profile", BY_NAME)
async def test_sound_server_is_found_sound_by_each_client(world: World, profile: str) -> None:
    report = await walk(world, profile)

    assert told(report) == {step.name: Status.PASSED for step in STEPS}, report.findings
    assert report.passed


async def test_what_a_public_client_sends(world: World) -> None:
    await walk(world, "vscode")

    assert world.registered["redirect_uris"] == ["http://127.0.0.1:33418/", "https://vscode.dev/redirect"]
    asked = world.asked
    assert asked["redirect_uri"].startswith("http://127.0.0.1:")
    assert asked["redirect_uri"] not in world.registered["redirect_uris"]
    assert (asked["scope"], asked["prompt"], asked["resource"]) == (
        "notes:read offline_access",
        "consent",
        world.url,
    )
    sign_in, consent, code, refresh = world.forms
    assert sign_in == {"next": ["x&y"], "username": ["ada"], "password": ["p4ss&word"]}
    assert consent == {"csrf": ["c"], "action": ["approve"]}
    assert (code["resource"], code["client_id"], "client_secret" in code) == ([world.url], ["c1"], False)
    assert (refresh["resource"], refresh["refresh_token"]) == ([world.url], ["r1"])


async def test_client_with_a_secret_shows_it(world: World) -> None:
    await walk(world, "claude")

    assert world.registered["token_endpoint_auth_method"] == "client_secret_post"
    assert "application_type" not in world.registered
    assert world.forms[2]["client_secret"] == ["s3&ret"]


async def test_document_is_named_where_the_server_takes_documents(world: World) -> None:
    world.spoil["server"] = but(client_id_metadata_document_supported=True)
    by_document = await walk(world, "claude-code")
    named = world.asked["client_id"]
    dynamic = await walk(world, "claude-code", registering=Registering.DYNAMIC)

    assert by_document.findings[4].came.startswith("client_id is https://claude.ai/")
    assert named == "https://claude.ai/oauth/claude-code-client-metadata"
    assert (dynamic.passed, world.asked["client_id"]) == (
        False,
        "c1",
    )  # the server's one code was used before


async def test_a_document_of_ones_own_is_named_instead(world: World) -> None:
    own = "https://acme.example/client.json"
    refused = await walk(world, "codex", document=own)
    world.spoil["server"] = but(client_id_metadata_document_supported=True)
    taken = await walk(world, "codex", document=own)

    assert (taken.passed, world.asked["client_id"]) == (True, own)
    assert (told(refused)["registration"], refused.findings[4].came) == (
        Status.FAILED,
        "the server has nothing to do with metadata documents",
    )


async def test_of_a_page_that_refuses_the_words_are_shown(world: World) -> None:
    page = b"<!doctype html><html><head><style>a { b: c }</style></head><p>The document is <b>not</b> good"
    world.spoil["server"] = but(client_id_metadata_document_supported=True)
    world.spoil["authorize"] = lambda _: Reply(400, page, {"Content-Type": "text/html; charset=utf-8"})
    report = await walk(world, "claude-code")

    assert report.findings[5].came == "400 The document is not good"
    assert "must reach the document" in report.findings[5].mends


async def test_a_call_that_needs_more_is_an_invitation(world: World) -> None:
    """Clients step up (MCP authorization); a 403 that names nothing new leads nowhere."""
    world.spoil["call"] = lambda _: Reply(
        403, {}, {"WWW-Authenticate": 'Bearer error="insufficient_scope", scope="notes:read notes:write"'}
    )
    more = await walk(world)
    world.spoil["call"] = lambda _: Reply(403, {}, {"WWW-Authenticate": 'Bearer error="insufficient_scope"'})
    nothing = await walk(world)

    assert told(more)["call"] is Status.ODD
    assert "403 asks for notes:read notes:write" in more.findings[9].came
    assert told(nothing)["call"] is Status.FAILED


async def test_server_of_an_older_revision_is_called_as_it_wants(world: World) -> None:
    world.modern = False
    report = await walk(world, tool="read", arguments={"a": 1})

    assert report.passed
    assert [call.get("method") for call in world.calls[:4]] == [
        "tools/call",
        "initialize",
        "notifications/initialized",
        "tools/call",
    ]
    assert world.calls[3]["params"] == {"name": "read", "arguments": {"a": 1}}


async def test_stops_where_it_was_told_to(world: World) -> None:
    report = await walk(world, credentials=None, stops_before_sign_in=True)

    assert report.passed
    assert [step for step, status in told(report).items() if status is Status.SKIPPED] == [
        "sign-in", "answer", "token", "call", "refresh", "call-again",
    ]  # fmt: skip


async def test_client_elsewhere_cannot_be_played_by_hand(world: World) -> None:
    report = await walk(world, "chatgpt", credentials=None)

    assert (told(report)["authorization"], told(report)["sign-in"]) == (Status.PASSED, Status.SKIPPED)


def error(status: int, **body: Any) -> Spoil:
    return lambda _: Reply(status, body)


def challenge(text: str) -> Spoil:
    return lambda reply: reply.headed(**{"WWW-Authenticate": text})


def but(**members: Any) -> Spoil:
    return lambda reply: reply.but(**members)


def without(*names: str) -> Spoil:
    return lambda reply: reply.without(*names)


def greedy(reply: Reply) -> Reply:
    return reply.headed(
        **{"WWW-Authenticate": reply.headers["WWW-Authenticate"].replace(":read", ":read offline_access")}
    )


def jwt(**claims: Any) -> str:
    return f"{b64encode(b'{}')}.{b64encode(json.dumps(claims).encode())}.c2ln"


F, O = Status.FAILED, Status.ODD  # noqa: E741 - columns of a table
FAULTS: dict[str, tuple[str, Spoil, str, Status, str]] = {
    # what is wrong: endpoint, spoiled how, the step that says so, how it ends, in which words
    "open to everybody": ("no-token", error(200), "challenge", F, "200"),
    "moved": ("no-token", lambda _: Reply(307, b"", {"Location": "/mcp/"}), "challenge", F, "307 to /mcp/"),
    "403 for 401": ("no-token", error(403), "challenge", F, "403"),
    "no challenge": ("no-token", lambda _: Reply(401), "challenge", O, "without a challenge"),
    "an error for no token": ("no-token", challenge('Bearer error="invalid_token"'), "challenge", O, "no token was"),
    "no pointer": ("no-token", challenge("Bearer"), "challenge", O, "without resource_metadata"),
    "a greedy challenge": ("no-token", greedy, "challenge", O, "offline_access"),
    "a bad token crashes it": ("bad-token", error(500), "bad-token", F, "500"),
    "a bad token is forbidden": ("bad-token", error(403), "bad-token", F, "403"),
    "no pointer for a bad token": ("bad-token", challenge('Bearer error="invalid_token"'), "bad-token", O, "without"),
    "no reason for a bad token": ("bad-token", challenge("Bearer"), "bad-token", O, "error=invalid_token"),
    "no metadata": ("resource", error(500), "resource", F, "no metadata"),
    "metadata in HTML": ("resource", lambda _: Reply(200, b"<html>"), "resource", F, "no metadata"),
    "another host": ("resource", but(resource="https://x.example/mcp"), "resource", F, "x.example"),
    "another path": ("resource", lambda reply: reply.but(resource=reply.body["resource"] + "2"), "resource", F, "mcp2"),
    "no resource": ("resource", without("resource"), "resource", F, "None"),
    "a wider resource": (
        "resource", lambda reply: reply.but(resource=reply.body["resource"][: -len("/mcp")]), "resource", O, "not the",
    ),
    "no servers": ("resource", but(authorization_servers=[]), "resource", F, "authorization_servers"),
    "a greedy resource": ("resource", but(scopes_supported=["offline_access"]), "resource", O, "offline"),
    "no server metadata": ("server", error(404), "server", F, "no metadata"),
    "a slash more": ("server", lambda reply: reply.but(issuer=reply.body["issuer"] + "/"), "server", F, "issuer"),
    "no token endpoint": ("server", without("token_endpoint"), "server", F, "token_endpoint"),
    "no S256": ("server", without("code_challenge_methods_supported"), "server", F, "S256"),
    "plain only": ("server", but(code_challenge_methods_supported=["plain"]), "server", F, "S256"),
    "iss not announced": (
        "server", without("authorization_response_iss_parameter_supported"), "server", O, "iss",
    ),
    "no registration": ("server", without("registration_endpoint"), "registration", F, "does not know"),
    "registration refused": ("register", error(400, error="invalid_redirect_uri"), "registration", F, "invalid_red"),
    "no client id": ("register", without("client_id"), "registration", F, "client_id"),
    "a key that it has not": (
        "register", but(token_endpoint_auth_method="private_key_jwt"), "registration", F, "private_key_jwt",
    ),
    "a secret that is missing": (
        "register", but(token_endpoint_auth_method="client_secret_basic"), "registration", F, "no client_secret",
    ),
    "200 for 201": ("register", lambda reply: Reply(200, reply.body), "registration", O, "200"),
    "redirects lost": ("register", but(redirect_uris=[]), "registration", O, "redirect_uris"),
    "an error page": ("authorize", lambda _: Reply(400, b"unknown redirect"), "authorization", F, "redirect"),
    "a page that is not": ("login", lambda _: Reply(200, b"<title>Hello</title>"), "sign-in", F, "Hello"),
    "a wrong password": ("login", lambda reply: reply if reply.status == 200 else Reply(401), "sign-in", F, "401"),
    "pages without end": ("consent", lambda _: Reply(303, b"", {"Location": "/consent"}), "sign-in", F, "no end"),
    "no state": ("answer", without("state"), "answer", F, "state"),
    "another state": ("answer", but(state="x"), "answer", F, "state"),
    "no iss": ("answer", without("iss"), "answer", F, "iss"),
    "another iss": ("answer", but(iss="https://evil.example"), "answer", F, "evil"),
    "no code": ("answer", without("code"), "answer", F, "no code"),
    "denied": ("answer", but(error="access_denied"), "answer", F, "access_denied"),
    "no token": ("token", error(400, error="invalid_grant"), "token", F, "invalid_grant"),
    "no access token": ("token", without("access_token"), "token", F, "access_token"),
    "a strange type": ("token", but(token_type="mac"), "token", F, "mac"),
    "no type": ("token", without("token_type"), "token", F, "missing"),
    "another audience": ("token", but(access_token=jwt(aud="https://x.example")), "token", F, "x.example"),
    "no audience": ("token", but(access_token=jwt(sub="ada")), "token", F, "None"),
    "stored": ("token", lambda reply: Reply(200, reply.body), "token", O, "no-store"),
    "no end told": ("token", without("expires_in"), "token", O, "expires_in"),
    "no refresh token": ("token", without("refresh_token"), "token", O, "refresh_token"),
    "nothing to refresh with": ("token", without("refresh_token"), "refresh", F, "refresh_token"),
    "token refused": ("token", but(access_token="other"), "call", F, "invalid_token"),
    "too narrow": ("call", error(403), "call", F, "403"),
    "an error inside": ("call", lambda _: Reply(200, {"error": {"message": "broken"}}), "call", F, "broken"),
    "no refresh": ("refresh", error(400, error="invalid_grant"), "refresh", F, "invalid_grant"),
    "not rotated": ("refresh", but(refresh_token="r1"), "refresh", O, "stays the same"),
    "a dead refreshed token": ("refresh", but(access_token="x"), "call-again", F, "invalid_token"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
async def test_fault_is_named_at_its_step(world: World, fault: str) -> None:
    endpoint, spoil, step, status, words = FAULTS[fault]
    world.spoil[endpoint] = spoil
    report = await walk(world)

    found = {finding.step: finding for finding in report.findings}
    assert found[step].status is status, found[step]
    assert words in found[step].came
    names = [each.name for each in STEPS]
    assert all(found[name].status is not Status.FAILED for name in names[: names.index(step)])
    if status is Status.FAILED:
        assert not report.passed
        assert all(found[name].status is Status.SKIPPED for name in names[names.index(step) + 1 :])


async def test_nobody_is_there(world: World) -> None:
    url = world.url.replace("127.0.0.1", "127.0.0.2").replace(str(world.sink.port), "1")
    (report,) = await examine(url, PROFILES[:1], Options(), lambda _: None)

    assert (report.passed, told(report)["challenge"]) == (False, Status.FAILED)
    assert "cannot be reached" in report.findings[0].came
