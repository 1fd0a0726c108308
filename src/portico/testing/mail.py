"""Mail in tests: caught in memory as soon as the act is committed, or read from a folder that a server writes.

`mails = capture_mail(runtime)` catches what this runtime sends; `CapturedMails(data_dir / "mail")` reads what another
process wrote.
"""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import overload

from portico.mail.captured import CapturedMail, read_folder, read_mail
from portico.mail.messages import OutgoingMail
from portico.mail.transports import Transport
from portico.messaging.draining import run_due_jobs
from portico.runtime import Runtime
from portico.testing.jobs import do_jobs_at_once

__all__ = ["CapturedMail", "CapturedMails", "MemoryTransport", "capture_mail", "flush_mail"]

PATIENCE_SECONDS = 5.0
LOOK_EVERY_SECONDS = 0.02


class MemoryTransport:
    """Keeps what is sent; implements `portico.mail.transports.Transport`."""

    def __init__(self) -> None:
        self.sent: list[OutgoingMail] = []

    async def send(self, mail: OutgoingMail) -> None:
        """Keep the message."""
        self.sent.append(mail)

    async def check(self) -> str:
        """Say that mail stays here."""
        return "mail is kept in memory"


class CapturedMails(Sequence[CapturedMail]):
    """The mails caught so far, oldest first: `len(mails)`, `mails[-1]`, `mails.last(to="ada@example.com").code`."""

    def __init__(self, source: MemoryTransport | Path) -> None:
        self._source = source

    @overload
    def __getitem__(self, index: int) -> CapturedMail: ...

    @overload
    def __getitem__(self, index: slice) -> list[CapturedMail]: ...

    def __getitem__(self, index: int | slice) -> CapturedMail | list[CapturedMail]:
        return self._all()[index]

    def __len__(self) -> int:
        return len(self._all())

    def __iter__(self) -> Iterator[CapturedMail]:
        return iter(self._all())

    def to(self, address: str) -> list[CapturedMail]:
        """Return the mails to one address, whatever its case, oldest first."""
        return [mail for mail in self._all() if mail.to.lower() == address.lower()]

    def last(self, *, to: str | None = None) -> CapturedMail:
        """Return the newest mail, of all or to one address.

        Raises:
            LookupError: there is none.
        """
        found = self._all() if to is None else self.to(to)
        if not found:
            raise LookupError(
                f"no mail to {to}; there are {[(mail.to, mail.subject) for mail in self._all()]}"
            )
        return found[-1]

    async def wait_for(
        self, *, to: str, count: int = 1, timeout: float = PATIENCE_SECONDS
    ) -> list[CapturedMail]:
        """Wait until `count` mails to the address are there and return all to it, oldest first.

        Raises:
            TimeoutError: they did not come within `timeout` seconds.
        """
        async with asyncio.timeout(timeout):
            while len(found := self.to(to)) < count:  # noqa: ASYNC110 - another process writes them
                await asyncio.sleep(LOOK_EVERY_SECONDS)
        return found

    def clear(self) -> None:
        """Forget what was caught."""
        if isinstance(self._source, MemoryTransport):
            self._source.sent.clear()
            return
        for path in self._source.glob("*.eml"):
            path.unlink()

    def _all(self) -> list[CapturedMail]:
        if isinstance(self._source, MemoryTransport):
            return [read_mail(mail.id, mail.content) for mail in self._source.sent]
        return [*read_folder(self._source)][::-1]


def capture_mail(runtime: Runtime) -> CapturedMails:
    """Catch the runtime's mail, and do its jobs at once, from now on: each mail is here when its act is answered."""
    transport = MemoryTransport()
    runtime.provide(Transport, transport)
    do_jobs_at_once(runtime)
    return CapturedMails(transport)


async def flush_mail(runtime: Runtime) -> int:
    """Do every job that is due now; return how many that were."""
    return await run_due_jobs(runtime)
