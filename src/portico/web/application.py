"""Adds the pages' ground to an application."""

from collections.abc import Mapping, Sequence

from fastapi import FastAPI

from portico.http.answers import ErrorPages
from portico.runtime import Runtime
from portico.web.pages import router
from portico.web.problems import ProblemPages
from portico.web.templating import NavigationEntry, Templates
from portico.web.translations import DOMAIN, Translations


def install_web(
    app: FastAPI,
    runtime: Runtime,
    *,
    templates: Mapping[str, str],
    navigation: Sequence[NavigationEntry] = (),
    catalogues: Sequence[str] = (),
) -> None:
    """Provide `Templates` and the pages for refusals, and mount the front page and the assets.

    `templates` maps the name of a feature to the package that holds its templates, `navigation` is the account's,
    in order, `catalogues` are packages with a `locale/` folder of their own, which may also reword Portico.
    """
    translations = Translations((*catalogues, DOMAIN))
    runtime.provide(
        Templates, Templates(runtime, templates, navigation=navigation, translations=translations)
    )
    runtime.provide(ErrorPages, ProblemPages())
    app.include_router(router)
