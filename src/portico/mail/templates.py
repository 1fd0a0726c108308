"""Renders a mail: subject, text and HTML in the reader's language.

Templates stand with the feature that sends them, at `<feature>/templates/mail/<name>.{subject.txt,txt,html}.jinja`;
a team's feature may replace one of Portico's by giving it the same name. Templates are trusted. Values are data:
escaped in HTML, and in text without line breaks, so that no name can write a paragraph of its own.

Every template knows: `product`, `public_url`, `public_host`, `to` (the recipient), `at` (now, unless given),
`sign_in_url`, `forgot_url`, `account_url`, `devices_url`, `language`, the filters `duration` (timedelta), `moment` and
`day` (datetime); and what is None unless given: `OPTIONAL`. `expires_at` and `code_expires_at` are also there as
`expires_in` and `code_expires_in`. What a mail asks for besides stands in its first line.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from portico.core.settings import Settings
from portico.mail.types import Content
from portico.web.translations import Translations, Translator

if TYPE_CHECKING:
    from jinja2 import Environment

OPTIONAL = ("name", "code", "code_expires_at", "url", "device", "place", "address")
LONGEST_GREETED_NAME = 60
_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n)+")
_LOOKS_LIKE_A_LINK = re.compile(r"://|www\.|\w\.\w{2}", re.IGNORECASE)


class MailTemplates:
    """What renders mails; one a process."""

    def __init__(self, settings: Settings, packages: Sequence[str], translations: Translations) -> None:
        """Take the packages to look into, the first to be asked first."""
        self._translations = translations
        self._common = _common_context(settings)
        self._packages = [*packages, "portico.mail"]

    @cached_property
    def _environment(self) -> "Environment":
        from portico.mail.environment import mail_environment  # of no use before the first mail

        return mail_environment(self._packages)

    def render(
        self, template: str, to: str, locale: str | None, context: Mapping[str, Any], now: datetime
    ) -> Content:
        """Return the mail as text.

        Raises:
            jinja2.TemplateError: there is no such template, or it uses what it was not given.
        """
        translator = self._translations.translator(locale)
        values = {**dict.fromkeys(OPTIONAL), "to": to, "at": now, "timezone": "UTC", **context}
        for what in ("expires", "code_expires"):
            if f"{what}_at" in values and f"{what}_in" not in values:
                values[f"{what}_in"] = values[f"{what}_at"] and values[f"{what}_at"] - now
        complete = {
            **self._common,
            **{key: _harmless(value) for key, value in values.items()},
            **translator.template_names,
            "translator": translator,
            "language": translator.language,
        }
        complete["name"] = greeted_name(complete["name"])
        return Content(
            subject=" ".join(self._part(template, "subject.txt", complete).split()),
            text=_BLANK_LINES.sub("\n\n", self._part(template, "txt", complete)).strip() + "\n",
            html=_BLANK_LINES.sub("\n", self._part(template, "html", complete)).strip() + "\n",
        )

    def _part(self, template: str, part: str, context: Mapping[str, Any]) -> str:
        return self._environment.get_template(f"{template}.{part}.jinja").render(context)


def _common_context(settings: Settings) -> dict[str, str]:
    url = settings.public_url
    return {
        "product": settings.name,
        "public_url": url,
        "public_host": settings.public_host,
        "sign_in_url": f"{url}/login",
        "forgot_url": f"{url}/forgot",
        "account_url": f"{url}/account",
        "devices_url": f"{url}/account/devices",
    }


def _harmless(value: Any) -> Any:
    """Return a text on one line, without control characters and marks that turn the reading direction around."""
    if not isinstance(value, str):
        return value
    return " ".join("".join(letter if letter.isprintable() else " " for letter in value).split())


def greeted_name(name: str | None) -> str | None:
    """Return a name that somebody chose, to greet or speak of; none that is a link, for it would be one under our
    letterhead.
    """
    if not name or _LOOKS_LIKE_A_LINK.search(name):
        return None
    return name if len(name) <= LONGEST_GREETED_NAME else name[:LONGEST_GREETED_NAME].rstrip() + "…"


def duration(value: timedelta, translator: Translator) -> str:
    """Return a time in words, in the largest unit that says it exactly enough: "30 minutes", "24 hours", "7 days".

    Rounded down, so that a link is never promised for longer than it lives.
    """
    minutes = max(1, round(value.total_seconds() / 60))
    hours, days = minutes // 60, minutes // (24 * 60)
    if days >= 2:
        return translator.ngettext("%(n)s day", "%(n)s days", days)
    if hours >= 1 and (minutes % 60 == 0 or hours >= 6):
        return translator.ngettext("%(n)s hour", "%(n)s hours", hours)
    return translator.ngettext("%(n)s minute", "%(n)s minutes", minutes)
