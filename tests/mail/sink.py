"""A real SMTP server that keeps what it is sent and answers as it is told."""

import asyncio
import contextlib
import email
import ssl
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from types import TracebackType
from typing import Any, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass(frozen=True)
class Received:
    """One message as the server got it."""

    sender: str
    recipients: list[str]
    content: bytes

    @property
    def message(self) -> EmailMessage:
        return email.message_from_bytes(self.content, policy=policy.SMTPUTF8)


@dataclass
class Sink:
    """Listens on loopback; `answers` are given to RCPT or DATA in turn, then "250 OK"."""

    rcpt_answers: list[str] = field(default_factory=list)
    data_answers: list[str] = field(default_factory=list)
    data_hangs_for: Callable[[EmailMessage], bool] | None = None
    tls: ssl.SSLContext | None = None
    implicit_tls: bool = False
    logins: dict[str, str] = field(default_factory=dict)
    port: int = 0
    received: list[Received] = field(default_factory=list)
    rcpt_lines: list[str] = field(default_factory=list)
    utf8: bool = True
    _server: asyncio.Server | None = None
    _sessions: list[SMTP] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen, on the same port as before if there was one."""
        loop = asyncio.get_running_loop()
        context = self.tls if self.implicit_tls else None
        self._server = await loop.create_server(self._session, "127.0.0.1", self.port, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Refuse further connections and break off those that are open."""
        if self._server is None:
            return
        self._server.close()
        for session in self._sessions:
            if session.transport is not None:
                session.transport.close()
            handler = getattr(session, "_handler_coroutine", None)
            if handler is not None:
                handler.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await handler
        self._sessions.clear()
        await self._server.wait_closed()
        self._server = None

    def _session(self) -> SMTP:
        starttls = self.tls if self.tls and not self.implicit_tls else None
        with warnings.catch_warnings(action="ignore"):  # about passwords without TLS
            session = SMTP(
                self,
                hostname="sink.test",
                enable_SMTPUTF8=self.utf8,
                decode_data=False,
                tls_context=starttls,
                require_starttls=starttls is not None,
                auth_required=bool(self.logins),
                auth_require_tls=False,
                authenticator=self._authenticate,
                loop=asyncio.get_running_loop(),
            )
        self._sessions.append(session)
        return session

    def _authenticate(
        self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        good = self.logins.get(data.login.decode()) == data.password.decode()
        return AuthResult(success=good, handled=False)

    async def wait_for(self, count: int, *, seconds: float = 2.0) -> None:
        """Wait until so many messages were taken.

        Raises:
            TimeoutError: they did not come in time.
        """
        async with asyncio.timeout(seconds):
            while len(self.received) < count:  # noqa: ASYNC110 - aiosmtpd has nothing to wait on
                await asyncio.sleep(0.01)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.rcpt_lines.append(address)
        answer = self.rcpt_answers.pop(0) if self.rcpt_answers else "250 OK"
        if answer.startswith("2"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        received = Received(str(envelope.mail_from), list(envelope.rcpt_tos), envelope.content)
        if self.data_hangs_for is not None and self.data_hangs_for(received.message):
            await asyncio.sleep(60)
        answer = self.data_answers.pop(0) if self.data_answers else "250 OK"
        if answer.startswith("2"):
            self.received.append(received)
        return answer
