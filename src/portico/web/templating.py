"""What renders pages: the templates of every enabled feature.

A template is named after its feature: `users/profile.html.jinja` is `portico/users/templates/profile.html.jinja`.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from portico.runtime import Runtime
from portico.web.assets import Assets
from portico.web.translations import Translations

if TYPE_CHECKING:
    from jinja2 import Environment

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
        self._packages = {OWN_TEMPLATES: "portico.web", **packages}
        self._names = {
            "asset": self.assets.path,
            "product": runtime.settings.name,
            "now": runtime.clock.now,
        }

    @cached_property
    def _environment(self) -> "Environment":
        from portico.web.environment import (
            page_environment,
        )  # 2 MB and 25 ms that a worker without pages saves

        return page_environment(self._packages, self._names)

    def render(self, name: str, context: Mapping[str, object]) -> str:
        """Return the page as text.

        Raises:
            jinja2.TemplateError: it does not exist or uses what it was not given.
        """
        return self._environment.get_template(name).render(context)
