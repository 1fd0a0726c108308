"""Reads mails back from where the folder transport wrote them: for the viewer, and for tests."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import parsedate_to_datetime
from pathlib import Path
from uuid import UUID

_LINK = re.compile(r"https?://[^\s<>\"]+")
_CODE = re.compile(r"^[ \t]*([0-9]{4,10})[ \t]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class CapturedMail:
    """A mail as its reader has it: `links` in the order of the text, `code` the number to type in, if there is one."""

    id: UUID
    message_id: str
    to: str
    subject: str
    text: str
    html: str
    links: tuple[str, ...]
    code: str | None
    created_at: datetime

    @property
    def link(self) -> str:
        """Return the first link, which is the one of the button.

        Raises:
            LookupError: there is none.
        """
        if not self.links:
            raise LookupError(f"no link in the mail {self.subject!r}")
        return self.links[0]


def read_mail(row_id: UUID, content: bytes) -> CapturedMail:
    """Take a message apart."""
    message = BytesParser(EmailMessage, policy=policy.SMTPUTF8).parsebytes(content)
    text = _part(message, "plain")
    code = _CODE.search(text)
    return CapturedMail(
        id=row_id,
        message_id=str(message["Message-ID"]),
        to=message["To"].addresses[0].addr_spec,
        subject=str(message["Subject"]),
        text=text,
        html=_part(message, "html"),
        links=tuple(_LINK.findall(text)),
        code=code[1] if code else None,
        created_at=parsedate_to_datetime(str(message["Date"])).astimezone(UTC),
    )


def _part(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return "" if part is None else str(part.get_content()).replace("\r\n", "\n")


def read_folder(folder: Path) -> Iterator[CapturedMail]:
    """Yield the mails of a folder, newest first; other files are passed over."""
    for row_id in sorted(_ids(folder), reverse=True):
        if (mail := find_mail(folder, row_id)) is not None:
            yield mail


def _ids(folder: Path) -> Iterable[UUID]:
    for path in folder.glob("*.eml"):
        try:
            yield UUID(path.stem)
        except ValueError:
            continue


def find_mail(folder: Path, row_id: UUID) -> CapturedMail | None:
    """Return one mail of a folder, or None."""
    try:
        content = (folder / f"{row_id}.eml").read_bytes()
    except FileNotFoundError:
        return None
    return read_mail(row_id, content)
