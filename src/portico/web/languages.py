"""The language of one page: what the link asks for, what the person chose, what the browser prefers."""

from dataclasses import dataclass

from starlette.requests import Request

from portico.web.translations import Translations

PARAMETER = "lang"
COOKIE = "portico_language"
COOKIE_SECONDS = 365 * 24 * 3600

OWN_NAMES = {"en": "English", "de": "Deutsch"}
"""Each language in its own words, as a person looks for it; others are shown by their code."""


@dataclass(frozen=True, slots=True)
class LanguageLink:
    """An entry of the language switch: `href` asks for the page as it is now in that language."""

    code: str
    name: str
    href: str


def language_of(request: Request, translations: Translations, chosen: str | None = None) -> str:
    """Return the page's language: `?lang=`, then `chosen` (the person's own), the cookie, `Accept-Language`."""
    return translations.negotiate(
        asked_for(request, translations),
        chosen,
        request.cookies.get(COOKIE),
        request.headers.get("accept-language"),
    )


def asked_for(request: Request, translations: Translations) -> str | None:
    """Return the language of the link, if it is one that we speak."""
    asked = request.query_params.get(PARAMETER)
    return asked if asked in translations.languages else None


def switch(request: Request, translations: Translations) -> list[LanguageLink]:
    """Return the languages to choose from; each link keeps the page's other parameters."""
    links = []
    for code in translations.languages:
        query = request.url.remove_query_params(PARAMETER).include_query_params(**{PARAMETER: code}).query
        links.append(LanguageLink(code, OWN_NAMES.get(code, code), f"?{query}"))
    return links
