"""What a form may be, and what of it is kept."""

from typing import Any

import pytest
from pydantic import Field, SecretStr, field_validator
from starlette.requests import Request

from portico.core.errors import FieldFault, Invalid, Malformed, TooLarge
from portico.http.schemas import RequestModel
from portico.web.forms import MAX_BYTES, MAX_FIELDS, Form, read_form

pytestmark = pytest.mark.anyio

URLENCODED = "application/x-www-form-urlencoded"


class Example(RequestModel):
    """A body as the API takes it."""

    email: str = Field(max_length=10)
    password: SecretStr
    name: str | None = None

    @field_validator("email")
    @classmethod
    def _has_an_at(cls, value: str) -> str:
        if "@" not in value:
            raise ValueError("This is not an e-mail address.")
        return value


def posted(body: bytes, content_type: str = URLENCODED) -> Request:
    chunks = iter([body[:7], body[7:]])

    async def receive() -> dict[str, Any]:
        chunk = next(chunks, None)
        return {"type": "http.request", "body": chunk or b"", "more_body": chunk is not None}

    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", content_type.encode())]}
    return Request(scope, receive)


async def test_a_form_is_read_as_it_was_typed() -> None:
    form = await read_form(posted(b"name=Ada+L%C3%B6velace&password=+two++spaces+&empty="))

    assert form.values == {"name": "Ada Lövelace", "password": " two  spaces ", "empty": ""}
    assert form.secret("password") == " two  spaces "
    assert form.text("missing") == ""


async def test_a_charset_beside_the_media_type_is_fine() -> None:
    form = await read_form(posted(b"a=b", f"{URLENCODED.title()}; charset=utf-8"))

    assert form.values == {"a": "b"}


@pytest.mark.bar("ASVS-3.5.1", "ASVS-3.5.2")
@pytest.mark.parametrize(
    "content_type", ["text/plain", "multipart/form-data; boundary=x", "application/json", ""]
)
async def test_another_media_type_is_refused(content_type: str) -> None:
    with pytest.raises(Malformed):
        await read_form(posted(b"a=b", content_type))


@pytest.mark.bar("ASVS-1.1.1")
@pytest.mark.parametrize(
    "body",
    [b"a=%ff", b"a=%c0%af", b"a=%ed%a0%80", b"a=\xff", b"a=%00", b"%00=a", b"a=\0"],
    ids=["not-utf8", "overlong", "surrogate", "raw-byte", "nul", "nul-in-name", "raw-nul"],
)
async def test_text_that_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        await read_form(posted(body))


@pytest.mark.bar("ASVS-15.3.7")
async def test_a_field_sent_twice_is_refused() -> None:
    with pytest.raises(Malformed):
        await read_form(posted(b"username=ada&password=x&username=eve"))


@pytest.mark.bar("CVE-2024-47874", "CHECK-20")
async def test_too_many_bytes_are_refused_unread() -> None:
    with pytest.raises(TooLarge):
        await read_form(posted(b"a=" + b"x" * MAX_BYTES))


@pytest.mark.bar("CVE-2024-47874", "CHECK-20")
async def test_too_many_fields_are_refused() -> None:
    with pytest.raises(Malformed):
        await read_form(posted("&".join(f"f{n}=1" for n in range(MAX_FIELDS + 1)).encode()))


async def test_a_broken_off_request_is_refused() -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", URLENCODED.encode())]}
    with pytest.raises(Malformed):
        await read_form(Request(scope, receive))


def test_a_form_becomes_the_body_of_the_api() -> None:
    form = Form({"email": "a@b", "password": "secret", "name": "", "csrf_token": "x", "next": "/"})

    parsed = form.parse(Example)

    assert parsed == Example(email="a@b", password=SecretStr("secret"))


def test_a_field_left_empty_can_mean_to_take_it_away() -> None:
    form = Form({"email": "a@b", "password": "secret", "name": ""})

    assert "name" not in form.parse(Example).model_fields_set
    assert "name" in form.parse(Example, clearing={"name"}).model_fields_set


@pytest.mark.bar("CHECK-17")
def test_a_field_that_the_form_does_not_have_is_refused() -> None:
    with pytest.raises(Invalid) as refused:
        Form({"email": "a@b", "password": "secret", "is_superuser": "true"}).parse(Example)

    assert [fault.field for fault in refused.value.errors] == ["is_superuser"]


def test_each_fault_stands_at_its_field_in_plain_words() -> None:
    with pytest.raises(Invalid) as refused:
        Form({"email": "ada"}).parse(Example)

    assert {(fault.field, fault.message) for fault in refused.value.errors} == {
        ("email", "This is not an e-mail address."),
        ("password", "Fill this in."),
    }


def test_a_fault_that_quotes_a_number_says_it() -> None:
    with pytest.raises(Invalid) as refused:
        Form({"email": "ada@example.com", "password": "x"}).parse(Example)

    assert refused.value.errors == (FieldFault("string_too_long", "Use at most 10 characters.", "email"),)


def test_what_was_typed_is_not_in_the_faults() -> None:
    with pytest.raises(Invalid) as refused:
        Form({"email": "my-password-by-mistake", "password": "hunter2"}).parse(Example)

    assert "mistake" not in str(refused.value.errors)
    assert "hunter2" not in repr(Form({"password": "hunter2"}))
