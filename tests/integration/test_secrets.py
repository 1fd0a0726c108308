"""CHECK-23: what is secret stays where it belongs: not in the log, not in the database, not in other people's mail.

Recognisable passwords, tokens and texts go into every place that takes one, good ones and bad ones, also while
something fails; then everything that was written anywhere is searched for them.
"""

import base64
import io
import json
import logging
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import structlog
from fastapi import FastAPI
from structlog.typing import EventDict

from portico.core import failpoints
from portico.core.logging import configure_logging
from portico.core.settings import Settings
from portico.http.csrf import token_for
from portico.runtime import Runtime
from portico.testing.mail import CapturedMails
from tests.integration.ground import API, Person, dump, enter, make_superuser
from tests.integration.wire import JSON, Answer, ask
from tests.sessions.people import DEVICE_COOKIE, FAST_HASHES, PAGE_COOKIE, REFRESH_COOKIE, add_person

pytestmark = pytest.mark.anyio

PASSWORD = "zq7-canary-first-password-4711"
NEW_PASSWORD = "zq7-canary-second-password-4712"
GARBAGE = "zq7canarygarbage"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(autouse=True)
def entries() -> list[EventDict]:
    """Nothing is captured here: the log itself is what is looked at."""
    return []


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {"credentials": FAST_HASHES, "logging": {"level": "debug", "format": "json"}}


@pytest.fixture
def log(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Iterator[io.StringIO]:
    """All that the process logs, as it would be written."""
    stream = io.StringIO()
    root = logging.getLogger()
    level, before = root.level, structlog.get_config()
    configure_logging(settings, stream)
    yield stream
    structlog.configure(**before)
    root.setLevel(level)
    for handler in [handler for handler in root.handlers if getattr(handler, "portico", False)]:
        root.removeHandler(handler)


class Story:
    """One person's whole life at the deployment; remembers every secret that was given out or typed."""

    def __init__(self, app: FastAPI, mails: CapturedMails) -> None:
        self.app = app
        self.mails = mails
        self.secrets = {PASSWORD, NEW_PASSWORD, GARBAGE}
        self.answers: list[Answer] = []

    async def post(self, path: str, body: dict[str, Any], **headers: str) -> Answer:
        content = json.dumps(body).encode()
        answer = await ask(self.app, "POST", API + path, headers={**JSON, **headers}, body=content)
        self._remember(answer)
        return answer

    async def other(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        answer = await ask(self.app, method, path, headers=headers or {}, body=body)
        self._remember(answer)
        return answer

    def mailed(self) -> tuple[str, str]:
        """Return secret and code of the last mail."""
        mail = self.mails[-1]
        secret = next(link.partition("token=")[2] for link in mail.links if "token=" in link)
        self.secrets |= {secret, mail.code or secret}
        return secret, mail.code or ""

    def _remember(self, answer: Answer) -> None:
        self.answers.append(answer)
        for name, value in answer.fields:
            if name == "set-cookie":
                cookie = value.partition("=")[2].partition(";")[0]
                self.secrets |= {cookie} if len(cookie) > 20 else set()
        if answer.status_code < 300 and answer.content.startswith(b"{"):
            given = answer.json()
            for name in ("access_token", "refresh_token", "secret"):
                if given.get(name):
                    self.secrets.add(given[name])


async def live(story: Story, grace: Person) -> None:
    """Sign up, prove, sign in both ways, refresh, change, forget, reset, be invited; and get much of it wrong."""
    address = "ada@example.org"
    await story.post("/auth/register", {"email": address, "password": PASSWORD})
    secret, code = story.mailed()
    await story.other("GET", f"/verify?token={secret}")
    await story.post("/auth/email/verify", {"email": address, "code": "00000000"})
    await story.post("/auth/email/verify", {"email": address, "code": code})
    signed_in = (await story.post("/auth/login", {"identifier": address, "password": PASSWORD})).json()
    bearer = {"Authorization": f"Bearer {signed_in['access_token']}"}
    await story.post("/auth/login", {"identifier": address, "password": PASSWORD, "transport": "cookie"})
    form = f"username={address}&password={PASSWORD}".encode()
    await story.other("POST", "/login", body=form, headers=FORM)
    await story.post("/auth/refresh", {"refresh_token": signed_in["refresh_token"]})
    change = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    await story.post("/auth/password/change", change, **bearer)
    await story.post("/auth/email/change", {"email": "ada2@example.org", "password": NEW_PASSWORD}, **bearer)
    story.mailed()
    await story.post("/auth/password/forgot", {"email": address})
    secret, _ = story.mailed()
    await story.other("GET", f"/reset?token={secret}")
    await story.post("/auth/password/reset", {"token": secret, "new_password": PASSWORD})
    made = await story.post("/admin/registration-tokens", {"max_uses": 5}, **grace.bearer)
    wish = {"email": "eve@example.org", "password": PASSWORD, "invitation": made.json()["secret"]}
    await story.post("/auth/register", wish)
    await story.other("GET", f"{API}/users/me/export", grace.bearer)
    await story.other("GET", f"{API}/admin/audit?page_size=100", grace.bearer)
    await bungle(story, grace)


async def bungle(story: Story, grace: Person) -> None:
    """Put secrets where they are refused, and where they do not belong."""
    address = "ada@example.org"
    for path, body in {
        "/auth/login": {"identifier": address, "password": GARBAGE},
        "/auth/register": {"email": GARBAGE, "password": NEW_PASSWORD, "invitation": GARBAGE},
        "/auth/refresh": {"refresh_token": GARBAGE},
        "/auth/logout": {"refresh_token": "prt_" + GARBAGE * 5},
        "/auth/password/reset": {"token": GARBAGE, "new_password": NEW_PASSWORD},
        "/auth/email/verify": {"token": GARBAGE},
        "/auth/setup": {"token": GARBAGE, "email": address, "password": PASSWORD},
        "/auth/password/change": {"current_password": GARBAGE, "new_password": NEW_PASSWORD},
    }.items():
        await story.post(path, body, **grace.bearer)
        await story.post(path, {**body, "unknown": GARBAGE})
        await story.post(path, {name: [value] for name, value in body.items()})
        await story.other("POST", f"{API}{path}", body=json.dumps(body).encode()[:-1], headers=JSON)
        await story.other(
            "POST", f"{API}{path}?password={PASSWORD}&token={GARBAGE}", body=b"{}", headers=JSON
        )
        await story.other(
            "POST", f"{API}{path}", body=json.dumps(body).encode(), headers={"Content-Type": "text/plain"}
        )
    for header in (
        "Authorization",
        "Cookie",
        "X-CSRF-Token",
        "Idempotency-Key",
        "User-Agent",
        "Referer",
    ):
        for value in (GARBAGE, f"Bearer {GARBAGE}", f"password={PASSWORD}"):
            await story.other("GET", f"{API}/users/me", {header: value})
    for path in (
        f"/reset/{PASSWORD}",
        f"/verify?token={GARBAGE}",
        f"/setup?token={GARBAGE}",
        f"/signup?invitation={GARBAGE}",
    ):
        await story.other("GET", path)
    for path in ("/login", "/signup", "/reset", "/verify", "/setup"):
        form = f"username={address}&email=x&password={PASSWORD}&new_password={NEW_PASSWORD}&token={GARBAGE}"
        await story.other("POST", path, body=form.encode(), headers=FORM)


async def fail(story: Story) -> None:
    """Let things break while secrets are at hand."""
    for point in (
        "credentials.register.before_write",
        "credentials.proof.before_hash",
        "db.unit.before_commit",
    ):
        failpoints.armed[point] = failpoints.raising(RuntimeError(f"planted with {PASSWORD}"[:12]))
        try:
            await story.post("/auth/register", {"email": "bob@example.org", "password": PASSWORD})
            await story.post("/auth/login", {"identifier": "ada@example.org", "password": PASSWORD})
            await story.post("/auth/password/reset", {"token": GARBAGE, "new_password": NEW_PASSWORD})
        finally:
            del failpoints.armed[point]


def spellings(secret: str) -> Iterator[str]:
    """Yield the texts under which a secret could be found again."""
    raw = secret.encode()
    yield secret
    yield raw.hex()
    yield base64.b64encode(raw).decode().rstrip("=")[:-2]
    yield repr(secret)[1:-1]
    if "_" in secret[:5] and len(secret) > 30:
        yield secret.partition("_")[2]


def found_in(text: str, secrets: set[str]) -> list[str]:
    return sorted(
        f"{secret[:24]} as {spelt[:24]}" for secret in secrets for spelt in spellings(secret) if spelt in text
    )


@pytest.mark.bar(
    "CHECK-23", "ASVS-16.2.5", "ASVS-14.2.1", "ASVS-6.5.2", "ASVS-16.5.1", "N6", "N14", "ASVS-11.4.2"
)
async def test_secrets_are_found_nowhere(
    app: FastAPI, runtime: Runtime, mails: CapturedMails, log: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    account = await add_person(runtime, "grace@example.org")
    await make_superuser(runtime, account)
    grace = await enter(runtime, account)
    story = Story(app, mails)
    story.secrets |= {
        grace.access_token,
        grace.refresh_token,
        grace.cookie,
        token_for(runtime.secret, grace.cookie),
    }

    await live(story, grace)
    await fail(story)

    written = log.getvalue() + capsys.readouterr().out
    assert "request_failed" in written
    assert "/api/v1/auth/login" in written
    secrets = {secret for secret in story.secrets if not secret.isdigit()}
    assert len(secrets) > 15
    assert found_in(written, secrets) == []
    assert found_in(await dump(runtime), secrets) == []
    refused = "\n".join(answer.text for answer in story.answers if answer.status_code >= 400)
    passwords = {PASSWORD, NEW_PASSWORD}
    assert found_in(refused, passwords | {secret for secret in secrets if secret != GARBAGE}) == []
    assert (
        found_in("\n".join(mail.text + mail.html + mail.subject for mail in mails), passwords | {GARBAGE})
        == []
    )
    assert found_in(_urls(story), secrets) == []


def _urls(story: Story) -> str:
    return "\n".join(answer.headers.get("location", "") for answer in story.answers)


@pytest.mark.bar("CHECK-23", "ASVS-14.2.6", "ASVS-8.2.3")
async def test_mail_about_one_person_tells_nothing_of_another(
    app: FastAPI, runtime: Runtime, mails: CapturedMails
) -> None:
    ada = await enter(runtime, await add_person(runtime, "ada@example.org", username="ada.person"))
    await add_person(runtime, "bob@example.org", username="bob.person")
    story = Story(app, mails)

    await story.post(
        "/auth/register", {"email": "bob@example.org", "password": PASSWORD, "full_name": "Mallory"}
    )
    await story.post("/auth/password/forgot", {"email": "bob@example.org"})
    await story.post("/auth/email/change", {"email": "bob@example.org"}, **ada.bearer)

    to_bob = "\n".join(mail.text + mail.html for mail in mails.to("bob@example.org"))
    assert len(mails) == len(mails.to("bob@example.org"))
    assert "ada" not in to_bob.lower()


@pytest.mark.bar("ASVS-14.2.1", "ASVS-3.3.1", "ASVS-3.3.4")
@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_cookies_that_are_credentials_are_out_of_reach_of_scripts(
    app: FastAPI, runtime: Runtime, mails: CapturedMails
) -> None:
    await add_person(runtime, "ada@example.org", password=PASSWORD)
    story = Story(app, mails)

    api = await story.post(
        "/auth/login", {"identifier": "ada@example.org", "password": PASSWORD, "transport": "cookie"}
    )
    page = await story.other(
        "POST", "/login", body=f"username=ada@example.org&password={PASSWORD}".encode(), headers=FORM
    )

    cookies = [value for answer in (api, page) for name, value in answer.fields if name == "set-cookie"]
    assert {cookie.partition("=")[0] for cookie in cookies} >= {PAGE_COOKIE, REFRESH_COOKIE, DEVICE_COOKIE}
    for cookie in cookies:
        if cookie.startswith((PAGE_COOKIE, REFRESH_COOKIE, DEVICE_COOKIE)):
            assert "HttpOnly" in cookie
            assert "SameSite=" in cookie
            assert cookie.partition("=")[2].partition(";")[0] not in (api.text + page.text)
