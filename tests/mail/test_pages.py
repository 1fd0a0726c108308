"""The viewer of development: what was sent is seen, and nothing in it runs."""

from typing import Any

import httpx2
import pytest

from portico.runtime import Runtime
from portico.testing.mail import flush_mail
from tests.mail.acts import RESET, rows, write_mail

pytestmark = pytest.mark.anyio


async def two_mails(runtime: Runtime) -> list[str]:
    """Send two mails and return their ids, oldest first."""
    await write_mail(runtime, name="<script>alert(1)</script>")
    await write_mail(runtime, "bob@example.com", template="already_registered")
    await flush_mail(runtime)
    return [str(row.id) for row in await rows(runtime)]


async def test_json_lists_the_newest_first(runtime: Runtime, client: httpx2.AsyncClient) -> None:
    oldest, newest = await two_mails(runtime)

    answer = await client.get("/dev/mail.json")

    listed = answer.json()
    assert [mail["id"] for mail in listed] == [newest, oldest]
    assert listed[1].keys() == {
        "id", "message_id", "to", "subject", "text", "html", "links", "code", "created_at",
    }  # fmt: skip
    assert listed[1]["to"] == "ada@example.com"
    assert listed[1]["links"][0] == RESET
    assert listed[1]["code"] == "731905"
    assert listed[0]["code"] is None


async def test_json_is_filtered_and_limited(runtime: Runtime, client: httpx2.AsyncClient) -> None:
    await two_mails(runtime)

    to_ada = (await client.get("/dev/mail.json", params={"to": "ADA@example.com"})).json()
    one = (await client.get("/dev/mail.json", params={"limit": 1})).json()

    assert [mail["to"] for mail in to_ada] == ["ada@example.com"]
    assert [mail["to"] for mail in one] == ["bob@example.com"]
    assert (await client.get("/dev/mail.json", params={"limit": 0})).status_code == 422


async def test_pages_show_the_mails(runtime: Runtime, client: httpx2.AsyncClient) -> None:
    empty = await client.get("/dev/mail")
    oldest, _ = await two_mails(runtime)

    listed = await client.get("/dev/mail")
    found = await client.get("/dev/mail", params={"to": "ada@example.com"})
    shown = await client.get(f"/dev/mail/{oldest}")
    as_text = await client.get(f"/dev/mail/{oldest}/text")

    assert "No mail yet" in empty.text
    assert "bob@example.com" in listed.text
    assert "bob@example.com" not in found.text
    assert f'<iframe src="/dev/mail/{oldest}/content"' in shown.text
    assert "731905" in shown.text
    assert RESET in as_text.text


async def test_content_is_framed_and_runs_nothing(runtime: Runtime, client: httpx2.AsyncClient) -> None:
    oldest, _ = await two_mails(runtime)

    page = await client.get(f"/dev/mail/{oldest}")
    content = await client.get(f"/dev/mail/{oldest}/content")

    assert "<script>alert(1)</script>" not in content.text + page.text
    assert '<base target="_blank">' in content.text
    policy = content.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'")
    assert "frame-ancestors 'self'" in policy
    assert "script-src" not in policy
    assert content.headers["x-frame-options"] == "SAMEORIGIN"
    assert "frame-src 'self'" in page.headers["content-security-policy"]
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in page.text


async def test_unknown_mail_is_not_found(client: httpx2.AsyncClient) -> None:
    unknown = "01932f4c-7e00-7000-8000-000000000001"

    for path in (f"/dev/mail/{unknown}", f"/dev/mail/{unknown}/text", f"/dev/mail/{unknown}/content"):
        assert (await client.get(path)).status_code == 404
    assert (await client.get("/dev/mail/..%2f..%2fetc%2fpasswd")).status_code in {404, 422}


class TestElsewhere:
    """There is no viewer where mail leaves for real."""

    @pytest.fixture(params=["smtp", "production"])
    def settings_overrides(self, request: pytest.FixtureRequest) -> dict[str, Any]:
        if request.param == "smtp":
            return {"mail": {"url": "smtp://localhost:1025"}}
        return {
            "environment": "production",
            "secret_key": "0123456789abcdefghijklmnopqrstuvwxyz",
            "public_url": "https://localhost:8000",
            "mail": {"url": "file:///nowhere"},
        }

    async def test_viewer_does_not_exist(self, client: httpx2.AsyncClient) -> None:
        for path in ("/dev/mail", "/dev/mail.json", "/dev/mail/01932f4c-7e00-7000-8000-000000000001"):
            assert (await client.get(path)).status_code == 404
