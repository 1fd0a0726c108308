"""Mail as files, one `.eml` a message: what development and tests read, and a hand-over to another program."""

import asyncio
import os
from pathlib import Path

from portico.mail.messages import OutgoingMail
from portico.mail.transports.base import TransportDown


class FolderTransport:
    """Writes each message durably under its id; a second attempt replaces the first, so nothing is there twice."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()

    async def send(self, mail: OutgoingMail) -> None:
        """Write the message.

        Raises:
            TransportDown: the folder cannot be written.
        """
        try:
            await asyncio.to_thread(_write_durably, self.folder / f"{mail.id}.eml", mail.content)
        except OSError as error:
            raise TransportDown(f"the folder cannot be written: {error.strerror}") from error

    async def check(self) -> str:
        """Say where mail is written.

        Raises:
            TransportDown: the folder cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TransportDown(f"the folder cannot be made: {error.strerror}") from error
        if not os.access(self.folder, os.W_OK):
            raise TransportDown("the folder cannot be written")
        return f"mail is written to {self.folder}"


def _write_durably(path: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all, also after a power failure; only the owner may read it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
