"""Gets through sign-in and consent: in the person's browser, or by filling Portico's own forms."""

import asyncio
import re
import socket
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode, urljoin, urlsplit

from portico.cli.mcp_doctor.findings import Broken
from portico.cli.mcp_doctor.forms import read_forms
from portico.cli.mcp_doctor.walking import Credentials
from portico.cli.mcp_doctor.wire import Answer, Wire

PATIENCE_SECONDS: Final = 300.0
MOST_PAGES: Final = 12
MAX_REQUEST: Final = 16_384
DONE: Final = b"<!doctype html><title>Portico</title><p>Thank you. You may close this page.</p>"
FORM: Final = "application/x-www-form-urlencoded"
CONSENT: Final = ("action", "approve")
WRONG: Final = "are user name and password right?"
BY_HAND: Final = (
    "a second factor, or another server's pages: leave --username away and sign in with the browser"
)


async def sign_in_by_browser(
    listener: socket.socket, url: str, redirect_uri: str, say: Callable[[str], None]
) -> str:
    """Open the person's browser, wait on loopback for the answer to `redirect_uri`, and return its URL.

    Raises:
        Broken: no answer within five minutes.
    """
    answered: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        target = head[:MAX_REQUEST].decode("latin-1").split(" ")[1]
        length = str(len(DONE)).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: ")
        writer.write(length + b"\r\n\r\n" + DONE)
        await writer.drain()
        writer.close()
        if not answered.done() and target.partition("?")[0] == urlsplit(redirect_uri).path:
            answered.set_result(urljoin(redirect_uri, target))

    server = await asyncio.start_server(accept, sock=listener, limit=MAX_REQUEST)
    say(f"Sign in with your browser:\n  {url}")
    await asyncio.to_thread(webbrowser.open, url)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await answered
    except TimeoutError:
        raise Broken(f"nobody came back within {PATIENCE_SECONDS:g} seconds") from None
    finally:
        server.close()


async def sign_in_by_forms(
    wire: Wire, url: str, credentials: Credentials, is_answer: Callable[[str], bool]
) -> str:
    """Go from page to page as a browser without JavaScript would, and return the URL of the answer.

    Raises:
        Broken: a page that is neither sign-in nor consent, or too many of them.
    """
    cookies = _Cookies()
    wanted = _Wanted("GET", url)
    for _ in range(MOST_PAGES):
        answer = await wire.send(wanted.method, wanted.url, cookies.headers(wanted), wanted.body)
        cookies.keep(wanted.url, answer)
        if 300 <= answer.status < 400:
            there = urljoin(wanted.url, answer.header("location"))
            if is_answer(there):
                return there
            wanted = _Wanted("GET", there)
        else:
            wanted = _filled(wanted.url, answer, credentials)
    raise Broken(f"no end after {MOST_PAGES} pages, last {wanted.url.partition('?')[0]}")


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The next request of the browser."""

    method: str
    url: str
    body: bytes = b""


class _Cookies:
    """The cookies of each origin; a walk is too short for them to expire, but servers take them back."""

    def __init__(self) -> None:
        self._kept: dict[str, dict[str, str]] = {}

    def keep(self, url: str, answer: Answer) -> None:
        """Keep what an answer sets."""
        own = self._kept.setdefault(_origin(url), {})
        for line in answer.all("set-cookie"):
            pair, *attributes = line.split(";")
            name, _, value = pair.strip().partition("=")
            if any(each.strip().lower() == "max-age=0" for each in attributes):
                own.pop(name, None)
            else:
                own[name] = value

    def headers(self, wanted: _Wanted) -> dict[str, str]:
        """Return the headers of a request as the browser sends it."""
        own = self._kept.get(_origin(wanted.url), {})
        headers = {"Accept": "text/html"}
        if own:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in own.items())
        if wanted.method == "POST":
            headers |= {"Content-Type": FORM, "Origin": _origin(wanted.url)}
        return headers


def _filled(url: str, answer: Answer, credentials: Credentials) -> _Wanted:
    """Return the form of a page as the person would send it.

    Raises:
        Broken: an error, or a page without a form that we know.
    """
    if answer.status != 200:
        raise Broken(f"{answer.status} at {url.partition('?')[0]}: {_words(answer)}", WRONG)
    for form in read_forms(answer.text):
        fields = dict(form.fields)
        if "password" in fields:
            fields |= {"username": credentials.username, "password": credentials.password}
        elif CONSENT in form.buttons:
            fields |= dict([CONSENT])
        else:
            continue
        return _Wanted("POST", urljoin(url, form.action or url), urlencode(fields).encode())
    raise Broken(f"neither sign-in nor consent at {url.partition('?')[0]}: {_words(answer)}", BY_HAND)


def _words(answer: Answer) -> str:
    """Return what a person would read first."""
    title = re.search(r"<title>(.*?)</title>", answer.text, re.DOTALL | re.IGNORECASE)
    return " ".join(title[1].split())[:100] if title else answer.excerpt


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
