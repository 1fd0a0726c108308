"""What is sent, and what came back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from portico.outbound.targets import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundRequest:
    """One request. What is None is as the settings say; a request can only ask for less than they allow.

    `Host`, `Content-Length`, `Connection` and `Accept-Encoding` are not the caller's to choose.
    """

    target: Target
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    timeout: timedelta | None = None
    max_answer_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class OutboundAnswer:
    """The answer as it came, not decompressed; a redirect is an answer like any other.

    `is_cut` tells that there was more than `body`; names of headers are in lower case, the last of several wins.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_cut: bool
    elapsed: timedelta
