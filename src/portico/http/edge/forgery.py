"""Requests that a foreign page makes a browser send (CHECK-18, ASVS 5.0 V3.5.1, V3.5.2).

Asked of every unsafe request whose credential the browser adds by itself, a cookie, and of anonymous ones, whose
answer may be a credential: the origin. With a session cookie also the token, from the header `X-CSRF-Token` or from
the form. Requests with a bearer token or an API key carry nothing that a page could make a browser send.
"""

from typing import Final

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.types import Receive, Scope

from portico.core.crypto import RootSecret
from portico.http.authentication import CredentialKind, Principal
from portico.http.bodies import FORM_TYPES, Replayed, read_body
from portico.http.cookies import find_cookie
from portico.http.csrf import FIELD, HEADER, is_token_for
from portico.http.edge.origins import OriginPolicy
from portico.http.edge.requests import Headers
from portico.http.errors import CsrfTokenInvalid, OriginRefused

_MAX_FIELDS: Final = 200


class ForgeryCheck:
    """Tells our own pages' requests from those that other pages caused."""

    def __init__(self, origins: OriginPolicy, secret: RootSecret, session_cookie: str) -> None:
        self._origins = origins
        self._secret = secret
        self._session_cookie = session_cookie

    def check_origin(self, principal: Principal | None, headers: Headers) -> None:
        """Refuse an unsafe request that a foreign page may have caused.

        Raises:
            OriginRefused: `Origin` or `Sec-Fetch-Site` names another site (403).
        """
        if principal is not None and principal.credential is not CredentialKind.COOKIE:
            return
        if not self._origins.may_write(headers.raw):
            raise OriginRefused

    async def check_token(self, scope: Scope, headers: Headers, receive: Receive) -> Receive:
        """Refuse an unsafe request by cookie that lacks the token; return what the route reads the body from.

        Raises:
            CsrfTokenInvalid: no token, or that of another session (403).
        """
        cookie = find_cookie(headers.get("cookie"), self._session_cookie)
        token = headers.get(HEADER)
        if token is None and _is_form(headers):
            body = await read_body(receive)
            receive = Replayed(body or b"", receive)
            token = await _token_in_form(scope, body or b"")
        if not cookie or not token or not is_token_for(self._secret, cookie, token):
            raise CsrfTokenInvalid
        return receive


def _is_form(headers: Headers) -> bool:
    return (headers.get("content-type") or "").partition(";")[0].strip().lower() in FORM_TYPES


async def _token_in_form(scope: Scope, body: bytes) -> str | None:
    async def nothing_more() -> dict[str, str]:
        return {"type": "http.disconnect"}

    request = Request(scope, Replayed(body, nothing_more))
    async with request.form(max_files=_MAX_FIELDS, max_fields=_MAX_FIELDS) as form:
        token = form.get(FIELD)
    return None if isinstance(token, UploadFile) else token
