"""The Jinja environment of all pages: templates of every enabled feature, escaped, strict.

A template is named after its feature: `users/profile.html.jinja` is `portico/users/templates/profile.html.jinja`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from jinja2 import Environment, PackageLoader, PrefixLoader, StrictUndefined, pass_context
from jinja2.runtime import Context

from portico.runtime import Runtime
from portico.web import moments
from portico.web.assets import Assets
from portico.web.translations import Translations, prepare
from portico.web.wording import explain, explain_fault

OWN_TEMPLATES = "web"


class NavigationEntry(Protocol):
    """An entry of the account's navigation, as features declare it."""

    @property
    def label(self) -> str:
        """Return the words of the link, a marked text."""
        ...

    @property
    def path(self) -> str:
        """Return where it leads."""
        ...

    @property
    def icon(self) -> str:
        """Return the name of its icon, or nothing."""
        ...


class Templates:
    """What renders pages; one a process, provided in the runtime."""

    def __init__(
        self,
        runtime: Runtime,
        packages: Mapping[str, str],
        *,
        navigation: Sequence[NavigationEntry] = (),
        translations: Translations | None = None,
    ) -> None:
        """Take the packages with templates by the name of their feature (`{"users": "portico.users"}`)."""
        self.assets = Assets()
        self.translations = translations or Translations()
        self.navigation = tuple(navigation)
        self._environment = _environment({OWN_TEMPLATES: "portico.web", **packages})
        self._environment.globals.update(
            asset=self.assets.path,
            product=runtime.settings.name,
            now=runtime.clock.now,
        )

    def render(self, name: str, context: Mapping[str, object]) -> str:
        """Return the page as text.

        Raises:
            jinja2.TemplateError: it does not exist or uses what it was not given.
        """
        return self._environment.get_template(name).render(context)


def _environment(packages: Mapping[str, str]) -> Environment:
    loaders = {name: PackageLoader(package) for name, package in packages.items()}
    environment = Environment(
        loader=PrefixLoader(loaders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    prepare(environment)
    environment.filters.update(day=_day, ago=_ago, explain=_explain, explain_fault=_explain_fault)
    environment.globals["time_zones"] = moments.zones
    return environment


@pass_context
def _day(context: Context, value: datetime, timezone: str) -> str:
    return moments.day(value, context["page"].language, timezone)


@pass_context
def _ago(context: Context, value: datetime) -> str:
    return moments.ago(value, context["now"](), context["page"].language)


@pass_context
def _explain(context: Context, error: object) -> str:
    return explain(error, context["page"].translator)  # type: ignore[arg-type]  # templates pass errors


@pass_context
def _explain_fault(context: Context, fault: object) -> str:
    return explain_fault(fault, context["page"].translator)  # type: ignore[arg-type]  # as above
