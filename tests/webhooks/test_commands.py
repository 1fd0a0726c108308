"""`portico webhooks …`, and the receiver that it is for development."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx2
import pytest

from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from portico.webhooks.commands import _endpoint_lines
from portico.webhooks.errors import SignatureInvalid
from portico.webhooks.listener import make_listener
from portico.webhooks.services import Endpoints
from portico.webhooks.signing import headers_of, read, verify, written
from tests.webhooks.conftest import MakeEndpoint

SECRET = bytes(range(32))
BODY = b'{"type":"parcel.sent"}'


@pytest.mark.anyio
@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_endpoints_are_listed_with_their_state(runtime: Runtime, make_endpoint: MakeEndpoint) -> None:
    assert await _endpoint_lines(runtime) == ["There are no endpoints."]
    well, off = await make_endpoint(), await make_endpoint()
    await Endpoints(runtime, runtime.unit()).disable_endpoint(off.id)

    lines = await _endpoint_lines(runtime)

    assert lines == [
        f"{off.id}  administrator  {off.sink.url}  parcel.*",
        f"{well.id}  enabled  {well.sink.url}  parcel.*",
    ]


class TestListener:
    @pytest.fixture
    def printed(self) -> list[str]:
        return []

    @pytest.fixture
    def url(self, printed: list[str]) -> Iterator[str]:
        server = make_listener(0, secret=SECRET, status=202, echo=printed.append)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/in"
        server.shutdown()
        thread.join()
        server.server_close()

    def test_signed_message_is_taken_and_printed(self, url: str, printed: list[str]) -> None:
        headers = headers_of([SECRET], "msg_1", datetime.now(UTC), BODY)

        answer = httpx2.post(url, content=BODY, headers=headers)

        assert answer.status_code == 202
        assert printed == ["/in  msg_1  signature good", BODY.decode()]

    def test_message_under_another_secret_is_told(self, url: str, printed: list[str]) -> None:
        headers = headers_of([b"x" * 32], "msg_1", datetime.now(UTC), BODY)

        assert httpx2.post(url, content=BODY, headers=headers).status_code == 400
        assert "NOT GOOD" in printed[0]

    def test_oversized_message_is_refused(self, url: str, printed: list[str]) -> None:
        assert httpx2.post(url, content=b"x" * 1_048_577).status_code == 413
        assert printed == []


class TestVerify:
    def test_secret_is_read_as_it_was_written(self) -> None:
        assert read(written(SECRET)) == SECRET

    @pytest.mark.parametrize("text", ["whsec_***", "whsec_a"])
    def test_what_is_no_secret_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="whsec_"):
            read(text)

    @pytest.mark.bar("ASVS-4.1.5")
    @pytest.mark.parametrize(
        "change",
        [
            {"webhook-id": "msg_2"},
            {"webhook-id": ""},
            {"webhook-timestamp": "1"},
            {"webhook-timestamp": "99999999999"},
            {"webhook-timestamp": "٤٤٣"},
            {"webhook-timestamp": "-5"},
            {"webhook-signature": ""},
            {"webhook-signature": "v1,AAAA"},
            {"webhook-signature": "v2,"},
        ],
    )
    def test_changed_message_is_refused(self, change: dict[str, str]) -> None:
        now = FrozenClock().now()
        headers = headers_of([SECRET], "msg_1", now, BODY)
        verify(SECRET, headers, BODY, now)

        with pytest.raises(SignatureInvalid):
            verify(SECRET, {**headers, **change}, BODY, now)
        with pytest.raises(SignatureInvalid):
            verify(SECRET, headers, BODY + b" ", now)
