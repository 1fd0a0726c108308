"""The message that leaves: headers that nobody can add to, and the same bytes each time."""

import email
from datetime import UTC, datetime
from email import policy
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from portico.core.settings import Settings
from portico.mail.errors import AddressRefused
from portico.mail.messages import OutgoingMail, build_message, message_id
from portico.mail.settings import MailSettings
from portico.mail.types import Content
from tests.mail.test_addresses import INJECTIONS

ROW = UUID("01932f4c-7e00-7000-8000-000000000001")
NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def settings(*, mail: dict[str, str] | None = None, **given: Any) -> Settings:
    base = Settings(environment="test", public_url="https://id.example.com", **given)
    return Settings(**base._given, mail=mail or {}).with_sections({"mail": MailSettings})


def build(to: str = "ada@example.com", subject: str = "Hello", **given: Any) -> OutgoingMail:
    chosen = settings(**given)
    content = Content(subject, "Grüße\n", "<p>Grüße</p>\n")
    identifier = message_id(ROW, chosen)
    return build_message(chosen, row_id=ROW, identifier=identifier, to=to, content=content, created_at=NOW)


def test_message_has_one_recipient_and_says_that_a_machine_wrote_it() -> None:
    mail = build()
    message = email.message_from_bytes(mail.content, policy=policy.SMTP)

    assert mail.recipient == "ada@example.com"
    assert message["To"] == "ada@example.com"
    assert message["From"] == "Portico <no-reply@id.example.com>"
    assert message["Message-ID"] == f"<{ROW}@id.example.com>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert mail.content.isascii()


def test_same_row_gives_the_same_bytes() -> None:
    assert build().content == build().content


@pytest.mark.bar("ASVS-1.3.11")
@pytest.mark.parametrize(
    "subject",
    [
        "Hello\r\nBcc: eve@evil.example",
        "Hello\n\nbody",
        "Hello\r",
        "Hello\x00\x1b[31m",
        "Hello\u2028Bcc: x@y.zz",
    ],
    ids=ascii,
)
def test_subject_never_becomes_a_second_header(subject: str) -> None:
    message = email.message_from_bytes(build(subject=subject).content, policy=policy.SMTP)

    assert message["Subject"].startswith("Hello")
    assert message["Bcc"] is None
    assert "\n" not in message["Subject"]
    assert len(message.keys()) == 9


@pytest.mark.bar("ASVS-1.3.11", "CVE-2022-35924", "GHSA-5jpx-9hw9-2fx4")
@pytest.mark.parametrize("to", INJECTIONS, ids=ascii)
def test_recipient_that_is_not_one_address_is_refused(to: str) -> None:
    with pytest.raises(AddressRefused):
        build(to=to)


def test_name_of_the_product_cannot_add_a_header() -> None:
    message = email.message_from_bytes(
        build(name='Evil", <eve@evil.example>\r\nBcc: x@y').content, policy=policy.SMTP
    )

    assert [address.addr_spec for address in message["From"].addresses] == ["no-reply@id.example.com"]
    assert message["Bcc"] is None


def test_international_local_part_asks_for_smtputf8() -> None:
    mail = build(to="jürgen@bücher.example")

    assert mail.is_international
    assert mail.recipient == "jürgen@xn--bcher-kva.example"
    assert "To: jürgen@xn--bcher-kva.example".encode() in mail.content


def test_sender_of_the_settings_is_used() -> None:
    chosen = settings(mail={"sender": "Shop <hello@shop.example>", "reply_to": "help@shop.example"})
    content = Content("Hello", "x", "<p>x</p>")

    mail = build_message(
        chosen, row_id=ROW, identifier="<x@y>", to="ada@example.com", content=content, created_at=NOW
    )
    message = email.message_from_bytes(mail.content, policy=policy.SMTP)

    assert mail.sender == "hello@shop.example"
    assert message["From"] == "Shop <hello@shop.example>"
    assert message["Reply-To"] == "help@shop.example"


@pytest.mark.parametrize(
    "public_url", ["http://127.0.0.1:8000", "http://[::1]:8000", "http://localhost:9000"]
)
def test_domain_of_a_local_server_is_localhost(public_url: str) -> None:
    local = Settings(environment="test", public_url=public_url, mail={}).with_sections({"mail": MailSettings})

    assert message_id(ROW, local) == f"<{ROW}@localhost>"


@pytest.mark.parametrize(
    "mail",
    [
        {"url": "http://smtp.example.com"},
        {"url": "smtp://"},
        {"url": "smtp://host:notaport"},
        {"url": "smtp://user:pa?ss@host"},
        {"sender": "nobody"},
        {"sender": "A <a@example.com>, B <b@example.com>"},
        {"sender": "A\r\nBcc: x@y <a@example.com>"},
        {"reply_to": '"a@b"@example.com'},
    ],
)
def test_wrong_settings_are_refused_without_showing_secrets(mail: dict[str, str]) -> None:
    with pytest.raises(ValidationError) as refusal:
        settings(mail=mail)

    assert "pa?ss" not in str(refusal.value)
