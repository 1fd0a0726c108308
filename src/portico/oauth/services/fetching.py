"""Fetches what clients publish of themselves: metadata documents, key sets, lists of redirect URIs.

All of it goes through the gate of `portico.outbound`; no redirect is followed, no error is remembered, and nothing is
held while waiting.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from portico.oauth.protocol.client_id_metadata import is_json_type
from portico.outbound import Outbound, OutboundAnswer, OutboundError, OutboundRequest, Target, UrlRefused
from portico.outbound.errors import AddressForbidden
from portico.runtime import Runtime

PATIENCE = timedelta(seconds=5)
FIRST_SERVER_ERROR = 500


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came back: the whole body, and its headers by their names in lower case."""

    body: bytes
    headers: Mapping[str, str]


class NotFetched(Exception):
    """There is no such document now; `reason` is safe to show.

    `may_pass` tells that nothing was said about the document: its server was away, or at fault.
    """

    def __init__(self, reason: str, *, may_pass: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.may_pass = may_pass


async def fetch_json(runtime: Runtime, url: str, *, most: int) -> Fetched:
    """Return a JSON document of at most `most` bytes, within five seconds.

    Raises:
        NotFetched: where it leads, how long it took, how large it was, or what it was (RFC 9110 status other than 200,
            another media type).
    """
    request_headers = {"Accept": "application/json"}
    try:
        request = OutboundRequest(
            target=Target.of(url), headers=request_headers, timeout=PATIENCE, max_answer_bytes=most
        )
        answer = await runtime.get(Outbound).send(request)
    except OutboundError as error:
        for_good = isinstance(error, UrlRefused | AddressForbidden)
        raise NotFetched(error.reason, may_pass=not for_good) from None
    _check(answer)
    return Fetched(answer.body, answer.headers)


def _check(answer: OutboundAnswer) -> None:
    if answer.status != 200:
        raise NotFetched(f"answers with status {answer.status}", may_pass=answer.status >= FIRST_SERVER_ERROR)
    if answer.is_cut:
        raise NotFetched("is too large", may_pass=False)
    if not is_json_type(answer.headers.get("content-type", "")):
        raise NotFetched("is not sent as JSON", may_pass=False)
