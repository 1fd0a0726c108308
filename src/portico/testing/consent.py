"""A person who lets an application in: sign-in and consent as a browser without JavaScript goes through them.

there = await consent(client, authorization_url, ada.email, ada.password)     # back at the redirect URI
"""

from urllib.parse import urljoin

import httpx2

from portico.cli.mcp_doctor.forms import read_forms

MOST_PAGES = 10


async def consent(
    client: httpx2.AsyncClient, url: str, email: str, password: str, *, action: str = "approve"
) -> str:
    """Open an authorization request, sign in, answer with `action`, and return the URL to which that leads.

    The client is signed out again afterwards: what it had for cookies is gone.

    Raises:
        AssertionError: a page that is neither sign-in nor consent.
    """
    client.cookies.clear()
    answer = await client.get(url, follow_redirects=False)
    try:
        for _ in range(MOST_PAGES):
            there = urljoin(str(answer.url), answer.headers.get("location", ""))
            if answer.is_redirect and httpx2.URL(there).netloc != answer.url.netloc:
                return there
            if answer.is_redirect:
                answer = await client.get(there, follow_redirects=False)
            else:
                answer = await _sent(client, answer, {"username": email, "password": password}, action)
    finally:
        client.cookies.clear()
    raise AssertionError(f"no end after {MOST_PAGES} pages, last {answer.url}")


async def _sent(
    client: httpx2.AsyncClient, page: httpx2.Response, credentials: dict[str, str], action: str
) -> httpx2.Response:
    for form in read_forms(page.text):
        is_consent = any(name == "action" for name, _ in form.buttons)
        if "password" in form.fields or is_consent:
            filled = {"action": action} if is_consent else credentials
            target = urljoin(str(page.url), form.action or str(page.url))
            return await client.post(target, data={**form.fields, **filled}, follow_redirects=False)
    raise AssertionError(f"{page.status_code}, neither sign-in nor consent: {page.text[:500]}")
