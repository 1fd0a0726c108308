"""The mails of development, to look at: `/dev/mail`, and the same for scripts at `/dev/mail.json`.

There only in development and tests, and only while mail is written to a folder; elsewhere these addresses do not
exist. A mail's HTML is shown in a frame of its own that runs no script and loads nothing.
"""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse

from portico.core.errors import NotFound
from portico.core.settings import Settings
from portico.http.access import public
from portico.http.content_policy import csp_nonce, page_policy
from portico.http.dependencies import RuntimeDep
from portico.http.schemas import ResponseModel
from portico.mail.captured import CapturedMail, find_mail, read_folder
from portico.mail.settings import folder_of
from portico.web.rendering import render

MAIL_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; "  # links open in a tab; nothing runs
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)


def viewed_folder(settings: Settings) -> Path | None:
    """Return the folder whose mails are shown, or None where there is no viewer."""
    return folder_of(settings) if settings.is_development else None


def captured_folder(runtime: RuntimeDep) -> Path:
    """Return the folder whose mails are shown.

    Raises:
        NotFound: there is no viewer here (404).
    """
    folder = viewed_folder(runtime.settings)
    if folder is None:
        raise NotFound
    return folder


FolderDep = Annotated[Path, Depends(captured_folder)]
RecipientQuery = Annotated[str | None, Query(max_length=320, description="Only mails to this address")]
LimitQuery = Annotated[int, Query(ge=1, le=500, description="At most this many")]

router = APIRouter(dependencies=[Depends(public)], include_in_schema=False)


class CapturedMailView(ResponseModel):
    """One captured mail; `links` in the order of the text, `code` the number to type in instead."""

    id: UUID
    message_id: str
    to: str
    subject: str
    text: str
    html: str
    links: tuple[str, ...]
    code: str | None
    created_at: datetime


@router.get("/dev/mail.json")
def list_mails(
    folder: FolderDep, to: RecipientQuery = None, limit: LimitQuery = 50
) -> list[CapturedMailView]:
    """Return the captured mails, newest first."""
    return [CapturedMailView(**asdict(mail)) for mail in _newest(folder, to, limit)]


@router.get("/dev/mail", response_class=HTMLResponse)
def show_mails(
    request: Request, folder: FolderDep, to: RecipientQuery = None, limit: LimitQuery = 50
) -> HTMLResponse:
    """Show the captured mails, newest first."""
    mails = list(_newest(folder, to or None, limit))
    return _page(request, "mail/messages.html.jinja", mails=mails, to=to or "", folder=str(folder))


@router.get("/dev/mail/{mail_id}", response_class=HTMLResponse)
def show_mail(request: Request, folder: FolderDep, mail_id: UUID) -> HTMLResponse:
    """Show one mail as its reader sees it."""
    return _page(request, "mail/message.html.jinja", mail=_mail(folder, mail_id), shown="html")


@router.get("/dev/mail/{mail_id}/text", response_class=HTMLResponse)
def show_mail_text(request: Request, folder: FolderDep, mail_id: UUID) -> HTMLResponse:
    """Show the text part of one mail."""
    return _page(request, "mail/message.html.jinja", mail=_mail(folder, mail_id), shown="text")


@router.get("/dev/mail/{mail_id}/content", response_class=HTMLResponse)
def show_mail_content(folder: FolderDep, mail_id: UUID) -> HTMLResponse:
    """Return the HTML part itself, which the page frames."""
    headers = {
        "Content-Security-Policy": MAIL_POLICY,
        "X-Frame-Options": "SAMEORIGIN",
        "Cache-Control": "no-store",
    }
    html = _mail(folder, mail_id).html.replace(
        "<head>", '<head><base target="_blank">', 1
    )  # not inside the frame
    return HTMLResponse(html, headers=headers)


def _newest(folder: Path, to: str | None, limit: int) -> Iterator[CapturedMail]:
    mails = read_folder(folder)
    return islice((mail for mail in mails if to is None or mail.to.lower() == to.strip().lower()), limit)


def _mail(folder: Path, mail_id: UUID) -> CapturedMail:
    mail = find_mail(folder, mail_id)
    if mail is None:
        raise NotFound
    return mail


def _page(request: Request, template: str, **context: Any) -> HTMLResponse:
    page = render(request, template, language="en", **context)
    page.headers["Content-Security-Policy"] = f"{page_policy(csp_nonce(request))}; frame-src 'self'"
    return page
