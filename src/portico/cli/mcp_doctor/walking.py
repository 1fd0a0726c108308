"""One walk of one client, step by step: the table, and what has been learnt on the way."""

import base64
import hashlib
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from portico.cli.mcp_doctor.findings import Broken, Finding, Odd, Report, Status, Stopped
from portico.cli.mcp_doctor.profiles import Profile
from portico.cli.mcp_doctor.wire import Wire
from portico.core.entropy import Entropy, SystemEntropy, random_token


class Registering(StrEnum):
    """How the client makes itself known."""

    AUTO = "auto"
    DOCUMENT = "document"
    DYNAMIC = "dynamic"


@dataclass(frozen=True, slots=True)
class Credentials:
    """With what Portico's own sign-in form is filled."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was asked of the doctor."""

    credentials: Credentials | None = None
    stops_before_sign_in: bool = False
    registering: Registering = Registering.AUTO
    document: str | None = None
    """The URL of a metadata document to be named instead of the client's own."""
    tool: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Client:
    """Who the client is at the authorization server."""

    client_id: str
    auth_method: str = "none"
    secret: str | None = field(default=None, repr=False)


class Walk:
    """What one walk knows; each step reads what those before it have left."""

    def __init__(
        self,
        url: str,
        profile: Profile,
        wire: Wire,
        options: Options,
        *,
        listener: socket.socket,
        say: Callable[[str], None] = lambda _: None,
        entropy: Entropy | None = None,
    ) -> None:
        self.url = url
        self.profile = profile
        self.wire = wire
        self.options = options
        self.listener = listener
        self.port: int = listener.getsockname()[1]
        self.say = say
        self._entropy = entropy or SystemEntropy()
        self.challenge: Mapping[str, str] = {}
        self.resource_document: Mapping[str, Any] = {}
        self.server: Mapping[str, Any] = {}
        self.client = Client("")
        self.requested: dict[str, str] = {}
        self.verifier = self.secret()
        self.start_url = ""
        self.returned: Mapping[str, str] = {}
        self.tokens: Mapping[str, Any] = {}
        self.refreshed: Mapping[str, Any] = {}

    @property
    def redirect_uri(self) -> str:
        """Return where the answer is to go."""
        return self.profile.redirect_uri(self.port)

    @property
    def resource(self) -> str:
        """Return what tokens are asked for (RFC 8707)."""
        return str(self.resource_document["resource"])

    @property
    def challenge_of_verifier(self) -> str:
        """Return the S256 challenge (RFC 7636, section 4.2)."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def secret(self) -> str:
        """Return 256 random bits as text."""
        return random_token(self._entropy)


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what a client expects by which rule, and what does it."""

    name: str
    title: str
    expected: str
    source: str
    run: Callable[[Walk], Awaitable[str | Odd]]


async def walk_through(walk: Walk, steps: Sequence[Step]) -> Report:
    """Take the steps until one fails; what was not reached is skipped."""
    findings: list[Finding] = []
    halted = ""
    for step in steps:
        finding = _finding(step, Status.SKIPPED, halted) if halted else await _taken(walk, step)
        findings.append(finding)
        if not halted and finding.status is Status.FAILED:
            halted = f"not reached, because {step.name} failed"
        elif not halted and finding.status is Status.SKIPPED:
            halted = finding.came
    return Report(walk.profile.name, walk.profile.title, tuple(findings))


async def _taken(walk: Walk, step: Step) -> Finding:
    try:
        came = await step.run(walk)
    except Broken as broken:
        return _finding(step, Status.FAILED, broken.came, broken.mends)
    except Stopped as stopped:
        return _finding(step, Status.SKIPPED, str(stopped))
    if isinstance(came, Odd):
        return _finding(step, Status.ODD, came.came, came.mends)
    return _finding(step, Status.PASSED, came)


def _finding(step: Step, status: Status, came: str, mends: str = "") -> Finding:
    return Finding(
        step=step.name,
        title=step.title,
        status=status,
        expected=step.expected,
        source=step.source,
        came=came,
        mends=mends,
    )
