"""Every page, whoever looks at it: readable by machines that read to people, safe, unchanged by what people typed.

The pages are those of the route table, so that a new one is looked at too.
"""

import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from fastapi import FastAPI

from portico.http.routing import route_table
from portico.runtime import Runtime
from portico.testing.mail import CapturedMails
from tests.web.browser import HEADINGS, Browser, Element, Page
from tests.web.people import ADA, link_in, sign_out, sign_up
from tests.web.state import state_of

pytestmark = pytest.mark.anyio

POLYGLOT = (
    "jaVasCript:/*-/*`/*\\`/*'/*\"/**/(/* */oNcliCk=alert() )//</stYle/</titLe/</teXtarEa/</scRipt/--!>"
    "<sVg/<sVg/oNloAd=alert()//><img src=x onerror=alert(1)>{{7*7}}${7*7}%(name)s{0.__class__}"
)
AUTOCOMPLETE = {
    "username",
    "current-password",
    "new-password",
    "one-time-code",
    "email",
    "name",
    "off",
    "organization",
}


def page_paths(app: FastAPI) -> list[str]:
    """Return the addresses of all pages."""
    rows = [row for row in route_table(app) if row.method == "GET" and "{" not in row.path]
    return sorted(
        {row.path for row in rows if ".pages" in getattr(row.entry.endpoint, "__module__", "")} - NO_PAGES
    )


NO_PAGES = {"/favicon.ico", "/dev/mail.json", "/dev/webhooks.json"}


async def all_pages(browser: Browser, app: FastAPI, mails: CapturedMails) -> list[Page]:
    """Return every page as it is seen by a stranger, with a link, and by somebody who is signed in."""
    paths = page_paths(app)
    seen = [await browser.open(path) for path in paths]
    await sign_up(browser)
    verify = link_in(mails, "/verify")
    seen += [await browser.open(path) for path in [*paths, verify]]
    await sign_out(browser)
    await browser.submit(await browser.open("/forgot"), "/forgot", email=ADA)
    links = [verify, link_in(mails, "/reset"), "/reset?token=x", "/verify?token=x", "/setup?token=x"]
    seen += [await browser.open(path) for path in [*links, "/signup?invitation=x", "/nowhere"]]
    seen += [await browser.submit(await browser.open("/login"), "/login", username="x", password="y")]
    return seen


async def test_the_pages_of_the_contract_are_there(app: FastAPI) -> None:
    wanted = {
        "/", "/login", "/signup", "/forgot", "/reset", "/verify", "/setup", "/account", "/account/password",
        "/account/devices", "/account/data",
    }  # fmt: skip

    assert wanted <= set(page_paths(app))


@pytest.mark.bar("ASVS-3.6.1", "ASVS-3.4.3", "ASVS-3.4.6", "ASVS-14.3.2", "ASVS-6.2.6", "ASVS-6.2.7")
async def test_every_page_is_well_made(browser: Browser, app: FastAPI, mails: CapturedMails) -> None:
    for page in await all_pages(browser, app, mails):
        faults = list(faults_of(page))

        assert faults == [], page.response.url


async def test_every_page_is_well_made_in_german(
    browser: Browser, app: FastAPI, mails: CapturedMails
) -> None:
    browser.language = "de"
    for page in await all_pages(browser, app, mails):
        if not page.path.startswith("/dev/"):  # developers read English
            assert page.root.all("html")[0].get("lang") == "de", page.response.url
        assert list(faults_of(page)) == [], page.response.url


@pytest.mark.bar("ASVS-3.5.3")
async def test_looking_at_pages_changes_nothing(
    browser: Browser, app: FastAPI, runtime: Runtime, mails: CapturedMails
) -> None:
    await sign_up(browser)
    paths = [*page_paths(app), link_in(mails, "/verify")]
    before = await state_of(runtime)

    for path in [*paths, *paths]:
        await browser.get(path)
        await browser.client.head(path)
        await browser.client.options(path)

    assert await state_of(runtime) == before


@pytest.mark.bar("ASVS-1.1.2", "ASVS-1.2.1", "ASVS-1.2.3", "ASVS-1.3.7", "ASVS-1.3.10", "ASVS-3.2.2")
async def test_a_name_full_of_markup_stays_text_on_every_page(
    browser: Browser, other_browser: Browser, app: FastAPI
) -> None:
    await sign_up(browser, full_name="Ada")
    await sign_up(other_browser, "eve@example.com", full_name=POLYGLOT)

    for path in page_paths(app):
        plain, marked = await browser.open(path), await other_browser.open(path)

        assert marked.skeleton == plain.skeleton, path
        assert "<img src=x" not in marked.response.text
    assert POLYGLOT in " ".join((await other_browser.open("/account")).words.split())


@pytest.mark.bar("ASVS-1.2.1", "ASVS-3.2.2")
@pytest.mark.parametrize(
    "path",
    ["/login?next={0}", "/signup?invitation={0}", "/reset?token={0}", "/verify?token={0}", "/setup?token={0}",
     "/invitations?token={0}", "/login?lang={0}", "/?{0}={0}", "/{0}"],
)  # fmt: skip
async def test_an_address_full_of_markup_stays_text(browser: Browser, path: str) -> None:
    page = await browser.open(path.format(quote(POLYGLOT, safe="")))

    assert list(faults_of(page)) == []
    assert "alert(1)>" not in page.response.text
    assert "49" not in page.words


@pytest.mark.bar("ASVS-1.2.1", "ASVS-3.2.2")
@pytest.mark.parametrize(
    ("path", "action", "fields"),
    [
        ("/login", "/login", ["username", "password"]),
        ("/signup", "/signup", ["email", "full_name", "password"]),
        ("/forgot", "/forgot", ["email"]),
        ("/reset", "/reset", ["email", "code", "new_password"]),
        ("/verify", "/verify", ["email", "code", "password"]),
    ],
)
async def test_markup_typed_into_a_form_stays_text_when_it_is_shown_again(
    browser: Browser, path: str, action: str, fields: list[str]
) -> None:
    page = await browser.open(path)

    page = await browser.submit(page, action, **dict.fromkeys(fields, POLYGLOT))

    assert page.status >= 400
    assert list(faults_of(page)) == []
    assert "<img src=x" not in page.response.text


async def test_a_fault_planted_into_a_page_is_found(browser: Browser) -> None:
    page = await browser.open("/login")

    for planted in ('<p style="x">', '<img src="https://evil.example/">', "<h4>deep</h4>", '<input name="a">',
                    '<script>alert(1)</script>', '<p onclick="x">', '<p id="username">'):  # fmt: skip
        broken = page.response.text.replace("</main>", f"{planted}</main>").replace("<p on", "<br on")
        broken = re.sub(r"(<p (style|id)[^>]*>)", r"\1</p>", broken)
        response = type(page.response)(
            200, text=broken, headers=page.response.headers, request=page.response.request
        )

        assert list(faults_of(Page.of(response))), planted


def faults_of(page: Page) -> Iterator[str]:
    """Yield what is wrong with a page, a sentence each."""
    elements = page.root.all()
    yield from _frame_faults(page, elements)
    yield from _form_faults(page)
    yield from _policy_faults(page, elements)


def _frame_faults(page: Page, elements: list[Element]) -> Iterator[str]:
    ids = [each.get("id") for each in elements if "id" in each.attributes]
    yield from (f"two elements are called {name}" for name in sorted(set(ids)) if ids.count(name) > 1)
    if len(page.root.all("h1")) != 1 or not page.heading:
        yield "there is not exactly one main heading"
    if len(page.root.all("main")) != 1:
        yield "there is not exactly one main landmark"
    if not page.title or not page.root.all("html")[0].get("lang"):
        yield "title or language is missing"
    levels = [int(each.tag[1]) for each in elements if each.tag in HEADINGS]
    if any(deeper > level + 1 for level, deeper in zip([0, *levels], levels, strict=False)):
        yield f"headings skip a level: {levels}"
    for each in elements:
        names = (each.get("aria-describedby") + " " + each.get("aria-labelledby")).split()
        yield from (f"{each.tag} names {name}, which is not there" for name in names if name not in ids)
        if each.tag in {"a", "button", "summary"} and not (each.words or each.get("aria-label")):
            yield f"a {each.tag} has no words"
        if each.tag == "button" and not {"button", "link-button"} & set(each.get("class").split()):
            yield f"the button {each.words!r} has no look of ours"
        if each.tag == "svg" and each.get("aria-hidden") != "true":
            yield "a picture is read out"
        if each.tag == "a" and each.get("href").startswith("#") and each.get("href")[1:] not in ids:
            yield f"a link leads to {each.get('href')}, which is not there"


def _form_faults(page: Page) -> Iterator[str]:
    labelled = {label.get("for") for label in page.root.all("label")}
    for form in page.forms():
        method = form.get("method")
        if method == "post" and page.response.request.headers.get("cookie", "").find("portico_session=") >= 0:
            tokens = [
                each for each in form.all("input") if each.get("name") == "csrf_token" and each.get("value")
            ]
            if len(tokens) != 1:
                yield f"the form to {form.get('action')} has no token"
        if not form.get("action").startswith("/"):
            yield f"a form is sent to {form.get('action')!r}"
    for each in page.root.all("input", "select"):
        yield from _field_faults(each, labelled)


def _field_faults(each: Element, labelled: set[str]) -> Iterator[str]:
    name, kind = each.get("name"), each.get("type")
    is_shown = kind != "hidden" and "hidden" not in each.attributes
    if is_shown and each.get("id") not in labelled and not each.get("aria-label"):
        yield f"the field {name} has no label"
    if "password" in name and kind != "password":
        yield f"the field {name} shows what is typed"
    if kind == "password" and (each.get("value") or not each.get("autocomplete").endswith("password")):
        yield f"the field {name} has a value, or hinders password managers"
    if kind == "password" and "maxlength" in each.attributes:
        yield "a password is cut off"
    if each.get("autocomplete") and each.get("autocomplete") not in AUTOCOMPLETE:
        yield f"autocomplete={each.get('autocomplete')}"


def _policy_faults(page: Page, elements: list[Element]) -> Iterator[str]:
    policy = page.response.headers.get("content-security-policy", "")
    nonces = set(re.findall(r"'nonce-([^']+)'", policy))
    if "unsafe" in policy or "frame-ancestors 'none'" not in policy or "base-uri 'none'" not in policy:
        yield f"the policy is too wide: {policy}"
    if page.response.headers.get("cache-control") != "no-store":
        yield "the page may be kept"
    for each in elements:
        yield from (
            f"{each.tag} has {name}" for name in each.attributes if name == "style" or name.startswith("on")
        )
        if each.tag in {"script", "style"} and each.get("nonce") not in nonces:
            yield f"a <{each.tag}> without the nonce of the policy"
        if each.tag == "script" and ("src" not in each.attributes or each.text.strip()):
            yield "a script stands in the page"
        for name in ("src", "href", "action", "formaction"):
            if re.match(r"\s*([a-z][a-z0-9+.-]*:|//)", each.get(name), re.IGNORECASE):
                yield f"{each.tag} asks another origin: {each.get(name)}"
