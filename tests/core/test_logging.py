"""The log: what it must never show, and what must never reach a terminal or forge a line."""

import io
import json
import logging

import pytest
import structlog

from portico.core.context import RequestContext, set_current_request
from portico.core.logging import access_line, configure_logging
from portico.core.masking import clean, harmless_text, is_secret_field, masked_text
from portico.core.settings import Settings

CANARY = "Zx9-canary-value"
LONG_SECRET = "ptc1ABCDEFGHabcdefgh0123456789ABCDEFGHabcdefgh"
JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"

SECRET_FIELDS = [
    "password", "new_password", "current_password", "passwd", "secret", "client_secret", "token", "refresh_token",
    "access_token", "id_tokens", "Authorization", "authorization", "cookie", "set_cookie", "api_key", "apikey", "code",
    "totp_code", "otp", "recovery_code", "private_key", "csrf_token", "credentials", "code_verifier",
]  # fmt: skip
PLAIN_FIELDS = [
    "status_code",
    "error_code",
    "token_type",
    "user_id",
    "encoder",
    "passenger",
    "codec",
    "pinned_by_user",
]

TEXTS_WITH_SECRETS = [
    ("Authorization: Bearer abc.def", "abc.def"),
    (f"got {JWT} from client", "eyJzdWIiOiJ4In0"),
    ("GET /verify?token=s3cr3t&x=1", "s3cr3t"),
    ("{'password': 'hunter2hunter2'}", "hunter2hunter2"),
    ('{"client_secret": "hunter2hunter2"}', "hunter2hunter2"),
    (f"key {LONG_SECRET} refused", LONG_SECRET[4:]),
    ("postgresql://portico:hunter2@db/portico", "hunter2"),
    ("mail to ada.lovelace@example.com failed", "ada.lovelace"),
    ("code=123456", "123456"),
]


@pytest.mark.parametrize("name", SECRET_FIELDS)
@pytest.mark.bar("ASVS-16.2.5", "CHECK-23")
def test_secret_is_masked_by_field_name(name: str) -> None:
    assert is_secret_field(name)
    assert CANARY not in str(clean({name: CANARY, "nested": [{name: CANARY}]}))


@pytest.mark.parametrize("name", PLAIN_FIELDS)
def test_plain_field_stays_readable(name: str) -> None:
    assert clean({name: CANARY}) == {name: CANARY}


@pytest.mark.parametrize(("text", "secret"), TEXTS_WITH_SECRETS)
@pytest.mark.bar("ASVS-16.2.5", "CHECK-23")
def test_secret_is_masked_by_pattern(text: str, secret: str) -> None:
    assert secret not in masked_text(text)


def test_mail_address_keeps_first_letter_and_domain() -> None:
    assert masked_text("to ada.lovelace@example.com") == "to a***@example.com"


def test_uuid_stays_readable() -> None:
    text = "session 01932f6e-7c1a-7abc-8def-0123456789ab ended"

    assert masked_text(text) == text


@pytest.mark.parametrize(
    "evil", ["\r\n", "\n", "\x1b[31m", "\u2028", "\u2029", "\x85", "\x00", "\u202e", "\ud800"]
)
@pytest.mark.bar("ASVS-16.4.1")
def test_dangerous_character_is_written_as_escape(evil: str) -> None:
    shown = harmless_text(f"before{evil}after")

    assert evil not in shown
    assert "\\" in shown


@pytest.mark.bar("ASVS-16.4.1")
@pytest.mark.parametrize("environment", ["development", "staging"])
def test_field_with_line_break_stays_on_one_line(environment: str) -> None:
    out = logged(
        environment, lambda: structlog.get_logger("x").info("signed_in", agent="a\r\n2026 forged\x1b[2J")
    )

    assert out.count("\n") == 1
    assert "\x1b[2J" not in out


def test_entry_of_structlog_and_of_the_standard_library_have_one_shape() -> None:
    def write() -> None:
        set_current_request(RequestContext(request_id="req-1"))
        structlog.get_logger("portico.one").warning("happened", user="u1")
        logging.getLogger("sqlalchemy.pool").warning("lost %s", "ada@example.com")

    ours, theirs = [json.loads(line) for line in logged("staging", write).splitlines()]

    assert ours["event"] == "happened"
    assert ours["logger"] == "portico.one"
    assert theirs["event"] == "lost a***@example.com"
    assert {entry["request_id"] for entry in (ours, theirs)} == {"req-1"}
    assert {entry["level"] for entry in (ours, theirs)} == {"warning"}
    assert all(entry["timestamp"].endswith("Z") for entry in (ours, theirs))


@pytest.mark.bar("ASVS-16.2.5")
def test_traceback_is_masked_too() -> None:
    def write() -> None:
        try:
            raise ValueError(f"token={CANARY} for ada@example.com")
        except ValueError:
            structlog.get_logger("x").exception("failed", password=CANARY)

    out = logged("staging", write)

    assert CANARY not in out
    assert "ada@example.com" not in out
    assert "Traceback" in json.loads(out)["exception"]


def test_level_below_the_setting_is_not_written() -> None:
    assert logged("staging", lambda: structlog.get_logger("x").info("quiet"), level="warning") == ""


def test_access_line_is_json() -> None:
    out = io.StringIO()
    line = access_line(settings("staging"), out)

    assert line is not None
    line("GET", "/api/v1/users/{id}", 200, 1.234, "req-1", "u-1")
    entry = json.loads(out.getvalue())
    assert entry.pop("timestamp").endswith("Z")
    assert entry == {
        "level": "info", "event": "request", "method": "GET", "route": "/api/v1/users/{id}", "status": 200,
        "ms": 1.23, "request_id": "req-1", "principal": "u-1",
    }  # fmt: skip


def test_access_line_can_be_switched_off() -> None:
    assert access_line(settings("staging", access=False)) is None


def settings(environment: str, **given: object) -> Settings:
    return Settings(environment=environment, logging=given)


def logged(environment: str, write: object, **given: object) -> str:
    """Return what `write` leaves in the log; the root logger is put back as it was."""
    out, root = io.StringIO(), logging.getLogger()
    before, level = list(root.handlers), root.level
    configure_logging(settings(environment, **given), out)
    try:
        write()  # type: ignore[operator]
    finally:
        root.handlers[:] = before
        root.setLevel(level)
        structlog.reset_defaults()
        set_current_request(RequestContext(request_id="-"))
    return out.getvalue()
