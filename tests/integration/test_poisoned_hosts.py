"""CHECK-13: whatever a request says about the way it came, links in mails, redirects and tokens name the public URL."""

import json
import re
from itertools import cycle

import pytest
from fastapi import FastAPI

from portico.core.crypto import b64decode
from portico.runtime import Runtime
from portico.testing.mail import CapturedMails
from tests.integration.ground import API, EVIL, TRACES, Population, nothing_written
from tests.integration.wire import JSON, Answer, ask
from tests.sessions.people import FAST_HASHES

pytestmark = pytest.mark.anyio

FORM = {"content-type": "application/x-www-form-urlencoded"}
POISON: tuple[dict[str, str], ...] = (
    {"X-Forwarded-Host": EVIL},
    {"X-Forwarded-Host": f"{EVIL}, localhost:8000"},
    {"X-Forwarded-Proto": "https", "X-Forwarded-Port": "4444"},
    {"X-Forwarded-Proto": f"https://{EVIL}/?"},
    {"Forwarded": f"for=1.2.3.4;host={EVIL};proto=https"},
    {"Forwarded": f'host="{EVIL}"', "X-Forwarded-Host": EVIL},
    {"X-Forwarded-Prefix": f"//{EVIL}", "X-Forwarded-Path": f"//{EVIL}", "X-Script-Name": f"//{EVIL}"},
    {"X-Host": EVIL, "X-Original-Host": EVIL, "X-HTTP-Host-Override": EVIL, "X-Forwarded-Server": EVIL},
    {"X-Original-URL": f"https://{EVIL}/verify", "X-Rewrite-URL": f"https://{EVIL}/verify"},
    {"X_Forwarded_Host": EVIL, "Via": f"1.1 {EVIL}", "Client-IP": EVIL, "True-Client-IP": EVIL},
    {"Referer": f"https://{EVIL}/login"},
)
LINK = re.compile(r"https?://[^\s\"'<>)]+")


@pytest.fixture
def settings_overrides() -> dict[str, object]:
    many = {"unasked_mails": "100000/hour"}
    return {"credentials": FAST_HASHES, "users": many, "http": {"allowed_hosts": ["*.example.org"]}}


async def mailing(
    app: FastAPI, population: Population, number: int, headers: dict[str, str], **more: str
) -> list[Answer]:
    """Ask for every mail that there is, with these headers."""
    fresh = f"new{number}@example.net"
    answers = []
    for path, body in {
        "/auth/register": {"email": fresh, "password": "paper clip orange thunder"},
        "/auth/email/resend": {"email": fresh},
        "/auth/password/forgot": {"email": "ada@example.org"},
        "/auth/email/change": {"email": f"changed{number}@example.net"},
        "/admin/users": {"email": f"made{number}@example.net"},
    }.items():
        given = {**headers, **JSON, **population.grace.bearer}
        answers.append(
            await ask(app, "POST", API + path, headers=given, body=json.dumps(body).encode(), **more)
        )
    for path, form in {
        "/signup": f"email=page{number}@example.net&password=paper clip orange thunder",
        "/forgot": "email=bob@example.org",
        "/verify/resend": f"email={fresh}",
    }.items():
        answers.append(await ask(app, "POST", path, headers={**headers, **FORM}, body=form.encode(), **more))
    return answers


@pytest.mark.bar("CHECK-13", "CVE-2025-64101", "GHSA-93m4-mfpg-c3xf", "CVE-2025-71401", "ASVS-4.1.3")
async def test_links_in_mails_and_answers_lead_to_the_public_url(
    app: FastAPI, runtime: Runtime, population: Population, mails: CapturedMails
) -> None:
    hosts = ("localhost:8000", "tenant.example.org", "a.b.example.org:8000")
    answers = [
        answer
        for number, (poison, host) in enumerate(zip(POISON, cycle(hosts), strict=False))
        for answer in await mailing(app, population, number, dict(poison), host=host)
    ]

    assert all(answer.status_code < 400 for answer in answers), [answer.text for answer in answers][:1]
    assert len(mails) > len(POISON) * 5
    links = {link for mail in mails for link in LINK.findall(mail.text + mail.html) if "w3.org" not in link}
    assert {link for link in links if not f"{link}/".startswith("http://localhost:8000/")} == set()
    everything = "\n".join([*(mail.text + mail.html for mail in mails), *(answer.text for answer in answers)])
    assert EVIL not in everything
    assert all(_leads_home(answer) for answer in answers)


def _leads_home(answer: Answer) -> bool:
    target = answer.headers.get("location")
    return target is None or (
        target.startswith(("/", "http://localhost:8000/")) and not target.startswith("//")
    )


@pytest.mark.bar("CHECK-13", "CVE-2026-48710")
async def test_under_a_name_that_is_not_ours_nobody_is_mailed(
    app: FastAPI, runtime: Runtime, population: Population, mails: CapturedMails
) -> None:
    async with nothing_written(runtime, but=TRACES):
        for host in (
            EVIL,
            f"localhost:8000.{EVIL}",
            f"localhost:8000@{EVIL}",
            f"{EVIL}#.example.org",
            f"example.org.{EVIL}",
        ):
            answers = await mailing(app, population, 0, {}, host=host)
            assert {answer.status_code for answer in answers} == {400}, host
    assert len(mails) == 0


@pytest.mark.bar("CHECK-13", "ASVS-9.2.3")
@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_tokens_name_the_public_url(app: FastAPI, population: Population) -> None:
    for poison in POISON:
        body = json.dumps({"refresh_token": population.ada.refresh_token}).encode()
        answer = await ask(app, "POST", f"{API}/auth/refresh", headers={**poison, **JSON}, body=body)
        claims = json.loads(b64decode(answer.json()["access_token"].split(".")[1]))

        assert (claims["iss"], claims["aud"]) == ("http://localhost:8000", "http://localhost:8000/api/v1")
