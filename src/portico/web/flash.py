"""A sentence that is shown once, on the next page ("Your profile was saved.").

It travels in a cookie of one minute, with a MAC, so that nobody can put words on our pages; nothing is kept on
the server. The sentence is a marked English text and translated where it is shown.
"""

from starlette.requests import Request
from starlette.responses import Response

from portico.core.crypto import b64decode, b64encode
from portico.runtime import Runtime

NAME = "portico_flash"
SECONDS = 60
PURPOSE = "web:flash"
MAC_BYTES = 16


def cookie_name(runtime: Runtime) -> str:
    """Return the cookie's name: with `__Host-` where people come by TLS."""
    return f"__Host-{NAME}" if runtime.settings.is_https else NAME


def leave(runtime: Runtime, response: Response, message: str) -> None:
    """Let the next page say `message`."""
    text = message.encode()
    response.set_cookie(
        cookie_name(runtime),
        b64encode(_mac(runtime, text) + text),
        max_age=SECONDS,
        path="/",
        secure=runtime.settings.is_https,
        httponly=True,
        samesite="lax",
    )


def read(runtime: Runtime, request: Request) -> str | None:
    """Return what was left for this page; None if nothing, or if it is not ours."""
    cookie = request.cookies.get(cookie_name(runtime))
    if not cookie:
        return None
    try:
        raw = b64decode(cookie)
    except ValueError:
        return None
    mac, text = raw[:MAC_BYTES], raw[MAC_BYTES:]
    is_ours = runtime.secret.is_mac(PURPOSE, text, mac, length=MAC_BYTES)
    return text.decode() if is_ours else None


def clear(runtime: Runtime, response: Response) -> None:
    """Take the cookie back: the sentence has been shown."""
    response.delete_cookie(
        cookie_name(runtime), path="/", secure=runtime.settings.is_https, httponly=True, samesite="lax"
    )


def _mac(runtime: Runtime, text: bytes) -> bytes:
    return runtime.secret.mac(PURPOSE, text)[:MAC_BYTES]
