"""Answers of pages: a rendered template, a form shown again, a redirect after a post.

A post that worked is answered with 303, so that reloading sends nothing twice and no credential is ever posted
on (RFC 9700, section 4.12). No page is kept by a cache.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse

from portico.core.errors import PorticoError
from portico.http.access import find_principal
from portico.http.authentication import Impersonation, Principal
from portico.http.content_policy import csp_nonce
from portico.http.csrf import csrf_token
from portico.runtime import Runtime
from portico.web import flash, languages
from portico.web.forms import Form
from portico.web.languages import LanguageLink
from portico.web.templating import NavigationEntry, Templates
from portico.web.translations import Translator


@dataclass(frozen=True, slots=True)
class Page:
    """What the layout knows of the page that it frames; `page` in templates."""

    path: str
    language: str
    translator: Translator
    languages: Sequence[LanguageLink]
    navigation: Sequence[NavigationEntry]
    nonce: str
    csrf_token: str
    principal: Principal | None
    flash: str | None

    @property
    def impersonation(self) -> Impersonation | None:
        """Return under what the visitor acts in another's name; every page says so, and how to end it."""
        return self.principal.impersonation if self.principal else None


def render(
    request: Request,
    template: str,
    status: int = 200,
    *,
    language: str | None = None,
    form: Form | None = None,
    **context: Any,
) -> HTMLResponse:
    """Return a page. `language` is the person's own, where it is known; `form` is empty if none is given."""
    runtime: Runtime = request.app.state.runtime
    templates = runtime.get(Templates)
    page = _page(request, runtime, templates, language)
    html = templates.render(
        template, {**page.translator.template_names, "page": page, "form": form or Form(), **context}
    )
    response = HTMLResponse(html, status)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Language"] = page.language
    # Without a referrer browsers send `Origin: null` with forms, and older ones then say nothing else of where the
    # form came from. Only pages whose address may hold a token need to go without (ASVS 5.0 V3.4.5).
    response.headers["Referrer-Policy"] = "no-referrer" if request.url.query else "same-origin"
    if page.flash:
        flash.clear(runtime, response)
    _remember_language(request, runtime, templates, response)
    return response


def refused(
    request: Request, template: str, form: Form, refusal: PorticoError, **context: Any
) -> HTMLResponse:
    """Show a form again with what was wrong, under the status of the refusal."""
    response = render(request, template, refusal.status, form=form.refused(refusal), **context)
    if retry_after := refusal.headers.get("Retry-After"):
        response.headers["Retry-After"] = retry_after
    return response


def see_other(request: Request, path: str, message: str | None = None) -> RedirectResponse:
    """Send the browser on by GET (303); `message`, a marked text, is shown there once."""
    response = RedirectResponse(path, 303, headers={"Cache-Control": "no-store"})
    if message:
        flash.leave(request.app.state.runtime, response, message)
    return response


def _page(request: Request, runtime: Runtime, templates: Templates, language: str | None) -> Page:
    translator = templates.translations.translator(
        languages.language_of(request, templates.translations, language)
    )
    return Page(
        path=request.url.path,
        language=translator.language,
        translator=translator,
        languages=languages.switch(request, templates.translations),
        navigation=templates.navigation,
        nonce=csp_nonce(request),
        csrf_token=csrf_token(request),
        principal=find_principal(request),
        flash=flash.read(runtime, request),
    )


def _remember_language(
    request: Request, runtime: Runtime, templates: Templates, response: HTMLResponse
) -> None:
    asked = languages.asked_for(request, templates.translations)
    if asked is None:
        return
    response.set_cookie(
        languages.COOKIE,
        asked,
        max_age=languages.COOKIE_SECONDS,
        path="/",
        secure=runtime.settings.is_https,
        httponly=True,
        samesite="lax",
    )
