"""Sending mail, as other features see it: a message is written in the transaction of the act.

What is rolled back sends nothing; what is committed is sent, by this process or another one, now or when the mail
server is back. How it leaves is in `sender.py`.
"""

from collections.abc import Mapping
from typing import Any, Self
from uuid import UUID

from portico.core.ids import new_id
from portico.db.unit import Unit
from portico.feature import FeatureSet
from portico.mail.addresses import single_address
from portico.mail.jobs import send_mail
from portico.mail.messages import message_id
from portico.mail.models import MailMessage
from portico.mail.repositories import MailRepository
from portico.mail.sealing import seal_content
from portico.mail.templates import MailTemplates
from portico.mail.types import MailStatus
from portico.messaging import Jobs
from portico.runtime import Runtime
from portico.web.translations import DOMAIN, Translations


class Mailer:
    """Writes mails; `runtime.get(Mailer)`."""

    def __init__(self, runtime: Runtime, templates: MailTemplates) -> None:
        self._runtime = runtime
        self._templates = templates

    @classmethod
    def from_runtime(cls, runtime: Runtime) -> Self:
        """Make the mailer of a process, with the templates of its features; those of higher floors win."""
        found = runtime.find(FeatureSet)
        features = found.features[::-1] if found else ()
        packages = [feature.templates for feature in features if feature.templates is not None]
        catalogues = [feature.messages for feature in features if feature.messages is not None]
        translations = Translations((*catalogues, DOMAIN))
        return cls(runtime, MailTemplates(runtime.settings, packages, translations))

    def enqueue(
        self,
        unit: Unit,
        *,
        template: str,
        to: str,
        locale: str | None,
        context: Mapping[str, Any] | None = None,
    ) -> UUID:
        """Write one mail to one address into the open transaction; return its id.

        `template` is the name of the files in `templates/mail`; `locale` is the reader's, English where we do not
        speak it; `context` is what the template asks for, all of it data.

        Raises:
            AddressRefused: `to` is not exactly one address (422).
            jinja2.TemplateError: no such template, or a value is missing.
        """
        recipient, now, row_id = single_address(to), self._runtime.clock.now(), new_id()
        content = self._templates.render(template, to, locale, context or {}, now)
        MailRepository(unit.session).add(
            MailMessage(
                id=row_id,
                message_id=message_id(row_id, self._runtime.settings),
                template=template,
                recipient=recipient,
                sealed_content=seal_content(self._runtime, row_id, content),
                status=MailStatus.QUEUED,
                created_at=now,
            )
        )
        self._runtime.get(Jobs).enqueue(unit, send_mail, mail_id=row_id)
        return row_id

    async def forget(self, unit: Unit, *addresses: str) -> None:
        """Delete every trace of mail to these addresses in any case, waiting mail too; for the erasure of a person."""
        await MailRepository(unit.session).remove_to([address.lower() for address in addresses])
