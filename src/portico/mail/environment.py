"""The Jinja environment of all mails: strict, HTML escaped. Imported when the first mail is rendered."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from importlib.resources import files

from jinja2 import BaseLoader, Environment, StrictUndefined, TemplateNotFound, pass_context, select_autoescape
from jinja2.runtime import Context

from portico.mail.templates import duration
from portico.web import moments
from portico.web.translations import prepare


class _PackageTemplates(BaseLoader):
    """Finds templates in the `templates/mail` folders of packages; HTML gets its styles when it is loaded."""

    def __init__(self, packages: Sequence[str]) -> None:
        self._folders = [files(package) / "templates" / "mail" for package in packages]

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        for folder in self._folders:
            path = folder / template
            if path.is_file():
                source = path.read_text(encoding="utf-8")
                return _with_styles(template, source), str(path), lambda: True
        raise TemplateNotFound(template)


def _with_styles(template: str, source: str) -> str:
    if not template.endswith(".html.jinja") or template.startswith("head."):
        return source
    from portico.mail.inlining import inline_styles

    return inline_styles(source)


def mail_environment(packages: Sequence[str]) -> Environment:
    """Return the environment for the mails of these packages, the first to be asked first."""
    environment = Environment(
        loader=_PackageTemplates(packages),
        autoescape=select_autoescape(["html.jinja"], default_for_string=True),
        undefined=StrictUndefined,
        auto_reload=False,
    )
    prepare(environment)
    environment.filters.update(duration=_duration, moment=_moment, day=_day)
    return environment


@pass_context
def _duration(context: Context, value: timedelta) -> str:
    return duration(value, context["translator"])


@pass_context
def _moment(context: Context, value: datetime, timezone: str = "UTC") -> str:
    from babel.dates import format_time

    local = value.astimezone(moments.zone(timezone))
    time = format_time(local, "short", tzinfo=local.tzinfo, locale=context["language"])
    return f"{moments.day(value, context['language'], timezone)}, {time} {local.tzname()}"


@pass_context
def _day(context: Context, value: datetime, timezone: str = "UTC") -> str:
    return moments.day(value, context["language"], timezone)
