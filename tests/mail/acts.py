"""What the tests of mail do again and again."""

from typing import Any

from sqlalchemy import select

from portico.mail.models import MailMessage
from portico.mail.services import Mailer
from portico.runtime import Runtime

RESET = "https://id.example.com/reset?token=CANARY-LINK-1"
CODE = "731905"


async def write_mail(
    runtime: Runtime, to: str = "ada@example.com", template: str = "reset_password", **more: Any
) -> None:
    """Write one mail and commit."""
    async with runtime.unit() as unit:
        runtime.get(Mailer).enqueue(
            unit, template=template, to=to, locale="en", context=context(runtime, **more)
        )


def context(runtime: Runtime, **more: Any) -> dict[str, Any]:
    """Return what the mail of a forgotten password asks for."""
    return {"url": RESET, "code": CODE, "expires_at": runtime.clock.now(), **more}


async def rows(runtime: Runtime) -> list[MailMessage]:
    """Return the queue as it is in the database, oldest first."""
    async with runtime.reads() as session:
        return list(await session.scalars(select(MailMessage).order_by(MailMessage.id)))


async def only_row(runtime: Runtime) -> MailMessage:
    """Return the one row of the queue."""
    [row] = await rows(runtime)
    return row
