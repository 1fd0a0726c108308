"""Tables of the coordination floor: the revocation log, the workers that follow it, leases."""

import os
import socket
from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, String, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from portico.db.base import NamedTable
from portico.db.columns import BigId, UtcDateTime


def process_description() -> str:
    """Name this process for people: host and number."""
    return f"{socket.gethostname()} pid {os.getpid()}"[:200]


class Revocation(NamedTable):
    """One subject (`session:<id>`, `user:<id>`, `key:<id>`) whose cached facts are no longer to be believed.

    `seq` rises in the order of commits: whoever appends holds the log's lock until the commit.
    """

    table = "revocations"

    seq: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    subject: Mapped[str] = mapped_column(String(120))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class Worker(NamedTable):
    """A living process that believes a cache: how far it has read the log, and until when it may believe it."""

    table = "workers"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger)
    lease_until: Mapped[datetime] = mapped_column(
        UtcDateTime
    )  # no index: each beat would have to change it, too
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    description: Mapped[str] = mapped_column(String(200))


class LeaseRow(NamedTable):
    """Who may do a named thing, and until when. A row stays when it is given back, so that `token` rises for ever."""

    table = "leases"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    holder: Mapped[str] = mapped_column(String(200))
    token: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
