"""Bodies that are too large, no JSON, ambiguous, or full of what no database takes."""

import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from portico.http.bodies import check_json
from portico.http.errors import MalformedJson

ORDERS, RAW, LARGE, FORM = (f"/api/v1/shop/{name}" for name in ("orders", "raw", "large", "form"))
JSON = {"Content-Type": "application/json"}
MEGABYTE = 1_048_576

MALFORMED = [
    b"{", b"}", b"[1,", b'{"name":}', b"{'name':'tea'}", b'{"name":"tea",}', b"tea", b'"unterminated', b"\x00",
    b'{"name":"tea"} x', b'{"name":"tea"}{"name":"tea"}', b"// c\n{}", b'{"name":"\n"}', b'{"name":"\\x41"}', b"+1",
    b"\xef\xbb\xbf{}", '{"name":"tea"}'.encode("utf-16"), '{"name":"tea"}'.encode("utf-16-le"),
    '{"name":"tea"}'.encode("utf-32"), b'{"name":"\xff"}', b'{"name":"\xc0\xaf"}', b'{"name":"\xed\xa0\x80"}',
]  # fmt: skip
AMBIGUOUS = [
    b'{"name":"a","name":"b"}', b'{"name":"a","n\\u0061me":"b"}', b'{"notes":[{"a":1,"a":2}]}', b'{"amount":NaN}',
    b'{"amount":Infinity}', b'{"amount":-Infinity}', b'{"amount":1e400}', b'{"amount":-1e999}', b"NaN",
]  # fmt: skip


async def posted(client: httpx2.AsyncClient, body: bytes, **headers: str) -> httpx2.Response:
    return await client.post(ORDERS, content=body, headers={**JSON, **headers})


@pytest.mark.parametrize("body", [*MALFORMED, *AMBIGUOUS])
@pytest.mark.bar("ASVS-1.5.3", "CHECK-20")
async def test_body_that_two_parsers_would_read_in_two_ways_gets_400(
    client: httpx2.AsyncClient, body: bytes
) -> None:
    answer = await posted(client, body)

    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_json")


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
@pytest.mark.bar("P26", "CHECK-20")
async def test_depth_bomb_gets_400_at_once(client: httpx2.AsyncClient, opening: bytes) -> None:
    body = opening * 100_000

    begun = time.process_time()
    answer = await posted(client, body)

    assert answer.status_code == 400
    assert time.process_time() - begun < 0.1


@pytest.mark.bar("P26", "P27", "CHECK-20")
@pytest.mark.parametrize(
    "body",
    [
        b"{" + b",".join(b'"%d":1' % number for number in range(90_000)) + b"}",
        b'{"notes":[' + b",".join([b"1"] * 500_000) + b"]}",
        b'{"name":"' + b"a" * 1_000_000 + b'"}',
        b'{"name":"tea","password":"' + b"a" * 1_000_000 + b'"}',
        b'{"amount":' + b"9" * 1_000_000 + b"}",
        b'{"name":"' + b"\\u0041" * 170_000 + b'"}',
    ],
    ids=["members", "items", "name", "password", "digits", "escapes"],
)
async def test_bomb_of_a_megabyte_is_refused_cheaply(client: httpx2.AsyncClient, body: bytes) -> None:
    await posted(client, b"{}")
    assert len(body) <= MEGABYTE

    begun = time.process_time()
    answer = await posted(client, body)

    assert answer.status_code in {400, 422}
    assert len(answer.content) < 2_000
    assert time.process_time() - begun < 0.15


@pytest.mark.parametrize(
    "content_type",
    [
        None, "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json",
        "application/jsonp", "application/javascript", "application/json; charset=utf-16", "application/xml", "json",
        "application/octet-stream", "application/json; charset=latin-1",
    ],
)  # fmt: skip
@pytest.mark.bar("ASVS-3.5.2", "CHECK-18")
async def test_json_route_reads_no_other_kind(client: httpx2.AsyncClient, content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    answer = await client.post(ORDERS, content=b'{"name":"tea"}', headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=UTF-8", "Application/JSON", "application/merge+json"]
)
async def test_json_by_any_of_its_names_is_read(client: httpx2.AsyncClient, content_type: str) -> None:
    answer = await client.post(ORDERS, content=b'{"name":"tea"}', headers={"Content-Type": content_type})

    assert answer.status_code == 201


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, gzip"])
@pytest.mark.bar("ASVS-5.2.3")
async def test_compressed_body_is_not_unpacked(client: httpx2.AsyncClient, encoding: str) -> None:
    assert (await posted(client, b"{}", **{"Content-Encoding": encoding})).status_code == 415


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (r'{"name":"a\u0000b"}', "name"),
        (r'{"name":"\ud800"}', "name"),
        (r'{"name":"\udc00\ud800"}', "name"),
        (r'{"name":"tea","notes":["\u0000"]}', "notes"),
        (r'{"name":"tea","password":"\u0000"}', "password"),
    ],
)
@pytest.mark.bar("ASVS-1.1.1", "CHECK-20")
async def test_text_that_cannot_be_stored_gets_422(client: httpx2.AsyncClient, body: str, field: str) -> None:
    answer = await posted(client, body.encode())

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"].startswith(field)


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"name": "tea", "is_admin": True}, "extra_forbidden", "is_admin"),
        ({"name": "tea", "id": "x", "role": "owner"}, "extra_forbidden", "id"),
        ({}, "missing", "name"),
        ({"name": 1}, "string_type", "name"),
        ({"name": "tea", "amount": "1"}, "int_type", "amount"),
        ({"name": "tea", "amount": True}, "int_type", "amount"),
        ({"name": "tea", "amount": 2**64}, "less_than_equal", "amount"),
        ({"name": "tea", "amount": -1}, "greater_than_equal", "amount"),
        ({"name": "a" * 81}, "string_too_long", "name"),
        ({"name": ["tea"]}, "string_type", "name"),
        ({"name": "tea", "notes": ["x"] * 6}, "too_long", "notes"),
    ],
)
@pytest.mark.bar("ASVS-2.2.1", "ASVS-1.4.2", "ASVS-15.3.3", "ASVS-15.3.5", "CHECK-17")
async def test_wrong_field_is_named(client: httpx2.AsyncClient, body: Any, code: str, field: str) -> None:
    answer = await client.post(ORDERS, json=body)

    assert answer.status_code == 422
    assert {"code": code, "field": field} in [
        {name: fault[name] for name in ("code", "field")} for fault in answer.json()["errors"]
    ]


@pytest.mark.parametrize("body", [b"null", b"[]", b"1", b'"tea"', b"true", b"[{}]"])
async def test_json_that_is_no_object_gets_422(client: httpx2.AsyncClient, body: bytes) -> None:
    assert (await posted(client, body)).status_code == 422


async def test_missing_body_gets_422(client: httpx2.AsyncClient) -> None:
    assert (await client.post(ORDERS)).status_code == 422


@pytest.mark.bar("CHECK-23", "ASVS-16.2.5")
async def test_refusal_never_says_what_was_sent(client: httpx2.AsyncClient) -> None:
    canary = "Zx9-canary-value"
    sent = [
        {"name": "tea", "password": [canary]},
        {"name": "tea", "password": canary * 100},
        {"password": canary},
    ]
    for body in sent:
        answer = await client.post(ORDERS, json=body)

        assert answer.status_code == 422
        assert canary not in answer.text


async def test_name_of_an_unknown_field_is_shown_harmless_and_short(client: httpx2.AsyncClient) -> None:
    answer = await posted(client, json.dumps({"name": "tea", "\x1b[31m" + "x" * 900: 1}).encode())

    field = answer.json()["errors"][0]["field"]
    assert len(field) <= 200
    assert field.startswith("\\x1b")


async def test_name_that_is_no_text_gets_422(client: httpx2.AsyncClient) -> None:
    assert (await posted(client, rb'{"name":"tea","\ud800":1}')).status_code == 422


# Size


@pytest.mark.bar("P26", "ASVS-5.2.1", "CHECK-20")
@pytest.mark.parametrize("path", [ORDERS, RAW, FORM])
async def test_body_of_30_megabytes_is_refused_unread(client: httpx2.AsyncClient, path: str) -> None:
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(30):
            read += 1
            yield b"a" * MEGABYTE

    answer = await client.post(path, content=body(), headers={**JSON, "Content-Length": str(30 * MEGABYTE)})

    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert answer.headers["connection"] == "close"
    assert read <= 1


@pytest.mark.bar("P26", "ASVS-5.2.1", "CHECK-20")
@pytest.mark.parametrize("path", [ORDERS, RAW])
@pytest.mark.parametrize("declared", [None, "5"])
async def test_streamed_body_is_cut_at_the_limit(app: FastAPI, path: str, declared: str | None) -> None:
    read, messages = 0, []

    async def receive() -> dict[str, Any]:
        nonlocal read
        read += 65_536
        return {"type": "http.request", "body": b"a" * 65_536, "more_body": True}

    async def send(message: Any) -> None:
        messages.append(message)

    headers = [(b"host", b"localhost:8000"), (b"content-type", b"application/json")]
    headers += [(b"content-length", declared.encode())] if declared else []
    scope = {
        "type": "http", "method": "POST", "path": path, "query_string": b"", "root_path": "", "headers": headers,
        "client": ("192.0.2.7", 1), "http_version": "1.1",
    }  # fmt: skip
    await app(scope, receive, send)

    assert messages[0]["status"] == 413
    assert read <= MEGABYTE + 65_536


@pytest.mark.parametrize("length", ["-1", "1e3", "0x10", "1_000", "９", "", "9" * 40, "1, 1"])
@pytest.mark.bar("ASVS-4.2.1")
async def test_length_that_is_no_number_gets_400(client: httpx2.AsyncClient, length: str) -> None:
    answer = await client.post(RAW, content=b"", headers=[(b"Content-Length", length.encode())])

    assert answer.status_code == 400


async def test_route_may_take_more(client: httpx2.AsyncClient) -> None:
    within = await client.post(LARGE, content=b"a" * 2_500_000)
    beyond = await client.post(LARGE, content=b"a" * 3_500_000)

    assert (within.status_code, within.json()["size"]) == (200, 2_500_000)
    assert beyond.status_code == 413


# Forms


async def test_form_is_read(client: httpx2.AsyncClient) -> None:
    assert (await client.post(FORM, data={"name": "tea"})).json()["name"] == "tea"
    assert (await client.post(FORM, files={"name": (None, "tea")})).json()["name"] == "tea"


@pytest.mark.parametrize("body", [b"name=%00", b"name=a\x00", b"name=%00%00"])
async def test_nul_in_a_form_gets_422(client: httpx2.AsyncClient, body: bytes) -> None:
    answer = await client.post(
        FORM, content=body, headers={"Content-Type": "application/x-www-form-urlencoded"}
    )

    assert answer.status_code == 422


async def test_form_route_reads_no_json(client: httpx2.AsyncClient) -> None:
    assert (await client.post(FORM, json={"name": "tea"})).status_code == 415


@pytest.mark.bar("CVE-2024-47874", "CVE-2026-53539", "CHECK-20")
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/x-www-form-urlencoded", b"a=1&" * 250_000),
        ("application/x-www-form-urlencoded", b"a;" * 500_000),
        ("application/x-www-form-urlencoded", b"name=" + b"a" * 1_000_000),
        (
            "multipart/form-data; boundary=x",
            b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n" * 15_000,
        ),
        ("multipart/form-data; boundary=x", b"--x\r\n" + b"X-A: b\r\n" * 100_000),
        ("multipart/form-data", b"--x\r\n"),
        ("multipart/form-data; boundary=" + "x" * 8_000, b"--x\r\n"),
    ],
    ids=["fields", "semicolons", "field", "parts", "part headers", "no boundary", "long boundary"],
)
async def test_form_bomb_is_refused_cheaply(client: httpx2.AsyncClient, kind: str, body: bytes) -> None:
    begun = time.process_time()
    answer = await client.post(FORM, content=body, headers={"Content-Type": kind})

    assert 400 <= answer.status_code < 500
    assert time.process_time() - begun < 0.3


@pytest.mark.parametrize(
    "body", [b"{}", b"[]", b"1", b'{"a":{"a":1},"b":{"a":1}}', b'"\\ud83d\\ude00"', b" {} \n"]
)
def test_plain_json_passes(body: bytes) -> None:
    check_json(body)


def test_json_error_says_where() -> None:
    with pytest.raises(MalformedJson, match="character 9"):
        check_json(b'{"name": tea}')
