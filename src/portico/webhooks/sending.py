"""Sends one message to one endpoint and tells what came of it; writes nothing."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from time import perf_counter

from portico.core.clock import Clock
from portico.http.schemas import NUL
from portico.outbound import (
    Outbound,
    OutboundAnswer,
    OutboundError,
    OutboundRequest,
    Target,
    TooSlow,
    Unreachable,
)
from portico.webhooks.settings import WebhooksSettings
from portico.webhooks.signing import headers_of
from portico.webhooks.types import DueDelivery, Outcome

JSON = "application/json"
LONGEST_WAIT = timedelta(days=1)
"""The longest that a receiver's `Retry-After` is heard."""
BUSY = frozenset({429, 503})
MOST_HEADERS = 40
LONGEST_HEADER = 400
SECRET_HEADERS = frozenset({"set-cookie", "authorization", "www-authenticate", "proxy-authenticate"})
"""Of an answer, what may be somebody's credential is not kept."""


class Sender:
    """Sends the messages of one endpoint, signed under its secrets."""

    def __init__(
        self,
        outbound: Outbound,
        clock: Clock,
        settings: WebhooksSettings,
        *,
        url: str,
        secrets: Sequence[bytes],
    ) -> None:
        self._outbound = outbound
        self._clock = clock
        self._settings = settings
        self._url = url
        self._secrets = secrets

    async def send(self, delivery: DueDelivery) -> Outcome:
        """Make one attempt; whatever goes wrong on the way is an outcome."""
        at, body = self._clock.now(), delivery.body.encode()
        headers = {"content-type": JSON, **headers_of(self._secrets, delivery.message_id, at, body)}
        sent = {**headers, "webhook-signature": "v1,…"}
        began = perf_counter()
        try:
            answer = await self._outbound.send(
                OutboundRequest(
                    target=Target.of(self._url),
                    method="POST",
                    headers=headers,
                    body=body,
                    timeout=self._settings.timeout,
                    max_answer_bytes=self._settings.keep_answer_bytes,
                )
            )
        except OutboundError as error:
            return Outcome(
                delivery=delivery,
                at=at,
                elapsed=timedelta(seconds=perf_counter() - began),
                request_headers=sent,
                error=f"{error.code}: {error.reason}",
                is_unanswered=isinstance(error, TooSlow | Unreachable),
            )
        return _answered(delivery, answer, sent, at)


def _answered(
    delivery: DueDelivery, answer: OutboundAnswer, sent: Mapping[str, str], at: datetime
) -> Outcome:
    return Outcome(
        delivery=delivery,
        at=at,
        elapsed=answer.elapsed,
        request_headers=sent,
        status_code=answer.status,
        response_headers=_kept_headers(answer.headers),
        response_body=_text(answer.body),
        is_cut=answer.is_cut,
        retry_after=_retry_after(answer),
    )


def _kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    kept = {
        name: "…" if name in SECRET_HEADERS else value[:LONGEST_HEADER].replace(NUL, "")
        for name, value in headers.items()
    }
    return dict(list(kept.items())[:MOST_HEADERS])


def _text(body: bytes) -> str:
    """Return the answer as text that every database stores."""
    return body.decode(errors="replace").replace(NUL, "\ufffd")


def _retry_after(answer: OutboundAnswer) -> timedelta | None:
    given = answer.headers.get("retry-after", "")
    if answer.status not in BUSY or not (given.isascii() and given.isdecimal()) or len(given) > 6:
        return None
    return min(timedelta(seconds=int(given)), LONGEST_WAIT)
