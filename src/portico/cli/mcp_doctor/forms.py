"""Reads pages: their forms, as a browser without JavaScript would send them, and the words that a person sees."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final

UNSEEN: Final = frozenset({"head", "script", "style", "svg", "template"})


@dataclass(slots=True)
class Form:
    """A form: where it goes, what its fields hold, and its buttons that have a name."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._open: Form | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = Form(given.get("action", ""), given.get("method", "get").lower())
            self.forms.append(self._open)
        elif self._open is not None and tag in {"input", "button"} and given.get("name"):
            self._note(self._open, tag, given)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None

    def _note(self, form: Form, tag: str, given: dict[str, str]) -> None:
        kind = given.get("type", "submit" if tag == "button" else "text")
        if kind == "submit":
            form.buttons.append((given["name"], given.get("value", "")))
        elif kind not in {"checkbox", "radio"} or "checked" in given:
            form.fields[given["name"]] = given.get("value", "on" if kind in {"checkbox", "radio"} else "")


def read_forms(page: str) -> list[Form]:
    """Return the forms of a page in their order."""
    reader = _Reader()
    reader.feed(page)
    return reader.forms


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._unseen += tag in UNSEEN

    def handle_endtag(self, tag: str) -> None:
        self._unseen -= tag in UNSEEN and self._unseen > 0

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.words.append(data)


def words_of(page: str) -> str:
    """Return the text of a page."""
    reader = _Words()
    reader.feed(page)
    return " ".join(reader.words)
