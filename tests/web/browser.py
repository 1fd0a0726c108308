"""A browser without JavaScript: reads pages, fills in forms, keeps cookies, follows redirects.

It sends what browsers send with a form (`Origin`, `Sec-Fetch-Site`, `Accept`), so that what it may do, people may.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx2

VOID = {"input", "meta", "link", "br", "hr", "img", "path", "circle", "rect"}
HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
ACCEPT = "text/html,application/xhtml+xml,*/*;q=0.8"


@dataclass(slots=True)
class Element:
    """A tag with its attributes and what stands in it."""

    tag: str
    attributes: dict[str, str]
    parent: "Element | None" = None
    children: list["Element"] = field(default_factory=list)
    text: str = ""

    def get(self, name: str) -> str:
        return self.attributes.get(name, "")

    def all(self, *tags: str) -> list["Element"]:
        """Return the elements below with these tags, or all, in the order of the page."""
        found: list[Element] = []
        for child in self.children:
            if not tags or child.tag in tags:
                found.append(child)
            found.extend(child.all(*tags))
        return found

    @property
    def words(self) -> str:
        """Return the text in it and below, spaces made single."""
        return " ".join((self.text + " " + " ".join(child.words for child in self.children)).split())

    def within(self, *tags: str) -> bool:
        """Tell whether it stands inside of one of these."""
        return self.parent is not None and (self.parent.tag in tags or self.parent.within(*tags))


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("document", {})
        self._open = self.root

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs}, self._open)
        self._open.children.append(element)
        if tag not in VOID:
            self._open = element

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs}, self._open)
        self._open.children.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.tag == tag, f"<{self._open.tag}> is closed by </{tag}>"
        assert self._open.parent is not None
        self._open = self._open.parent

    def handle_data(self, data: str) -> None:
        self._open.text += data

    def close(self) -> None:
        super().close()
        assert self._open is self.root, f"<{self._open.tag}> is not closed"


@dataclass(slots=True)
class Page:
    """What the browser shows."""

    response: httpx2.Response
    root: Element

    @classmethod
    def of(cls, response: httpx2.Response) -> "Page":
        reader = _Reader()
        reader.feed(response.text)
        reader.close()
        return cls(response, reader.root)

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def path(self) -> str:
        return self.response.url.path

    @property
    def title(self) -> str:
        return self.root.all("title")[0].words

    @property
    def words(self) -> str:
        return self.root.all("body")[0].words

    @property
    def heading(self) -> str:
        return self.root.all("h1")[0].words

    @property
    def skeleton(self) -> list[tuple[str, tuple[str, ...]]]:
        """Return tags and names of attributes in order: what must not change with what somebody typed."""
        return [(element.tag, tuple(sorted(element.attributes))) for element in self.root.all()]

    def forms(self) -> list[Element]:
        return self.root.all("form")

    def form(self, action: str, having: str | None = None) -> Element:
        """Return the form that posts to `action`, and has the field `having`."""
        found = [form for form in self.forms() if form.get("action") == action]
        if having is not None:
            found = [form for form in found if having in fields_of(form)]
        assert found, (
            f"no form posts to {action} with {having}: {[form.get('action') for form in self.forms()]}"
        )
        return found[0]

    def alert(self) -> str:
        """Return what went wrong, as it is told first."""
        return " ".join(each.words for each in self.root.all() if each.get("role") == "alert")

    def status_line(self) -> str:
        """Return what was done, as it is told once."""
        return " ".join(each.words for each in self.root.all() if each.get("role") == "status")


def fields_of(form: Element) -> dict[str, str]:
    """Return the values that a form would send as it stands."""
    values = {
        each.get("name"): each.get("value")
        for each in form.all("input")
        if each.get("name") and "disabled" not in each.attributes
    }
    for select in form.all("select"):
        chosen = [option for option in select.all("option") if "selected" in option.attributes]
        values[select.get("name")] = (chosen or select.all("option"))[0].get("value")
    return values


class Browser:
    """One browser: its cookies, and the page it shows."""

    def __init__(self, client: httpx2.AsyncClient, *, language: str = "en") -> None:
        self.client = client
        self.language = language
        self.origin = str(client.base_url).rstrip("/")

    async def open(self, path: str, **headers: str) -> Page:
        """Open an address and follow redirects."""
        return await self._shown(await self.get(path, **headers))

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        """Return the answer itself."""
        return await self.client.get(path, headers=self._headers() | headers)

    async def post(self, path: str, values: Mapping[str, str], **headers: str) -> httpx2.Response:
        """Send a form as a page of ours would; return the answer itself."""
        # Our pages forbid the referrer; browsers then say `null` with their forms.
        own = {"Origin": "null", "Sec-Fetch-Site": "same-origin"}
        return await self.client.post(path, data=dict(values), headers=self._headers() | own | headers)

    async def submit(self, page: Page, action: str, having: str | None = None, **typed: str) -> Page:
        """Fill in a form of the page, send it and follow redirects."""
        return await self._shown(await self.send(page, action, having, **typed))

    async def send(self, page: Page, action: str, having: str | None = None, **typed: str) -> httpx2.Response:
        """Fill in a form of the page and send it; return the answer itself."""
        form = page.form(action, having)
        values = fields_of(form)
        assert typed.keys() <= values.keys(), f"the form has no {typed.keys() - values.keys()}"
        return await self.post(action, {**values, **typed})

    async def _shown(self, response: httpx2.Response) -> Page:
        while response.is_redirect:
            assert response.status_code == 303
            target = urljoin(str(response.url), response.headers["location"])
            assert urlsplit(target).netloc == urlsplit(self.origin).netloc
            response = await self.get(target)
        return Page.of(response)

    def _headers(self) -> dict[str, Any]:
        return {"Accept": ACCEPT, "Accept-Language": self.language}
