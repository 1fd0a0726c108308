"""The one way out: every request that the server makes to an address which somebody else chose.

Webhooks, key sets and metadata of others go through `Outbound`. It looks a name up once, refuses what leads inside,
connects to the very address that it checked, and takes no more time and no more bytes than it was given.
"""

from portico.outbound.client import Outbound
from portico.outbound.errors import (
    AddressForbidden,
    AnswerBroken,
    OutboundError,
    TooSlow,
    Unreachable,
    UrlRefused,
)
from portico.outbound.targets import Target
from portico.outbound.types import OutboundAnswer, OutboundRequest

__all__ = [
    "AddressForbidden",
    "AnswerBroken",
    "Outbound",
    "OutboundAnswer",
    "OutboundError",
    "OutboundRequest",
    "Target",
    "TooSlow",
    "Unreachable",
    "UrlRefused",
]
