"""Every mail in every language: complete, harmless with hostile values, and without anything from elsewhere."""

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from jinja2 import TemplateNotFound, UndefinedError

from portico.core.settings import Settings
from portico.mail.inlining import inline_styles
from portico.mail.templates import MailTemplates, duration
from portico.mail.types import Content
from portico.web.translations import Translations, translations

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
PACKAGES = [
    "portico.users",
    "portico.credentials",
    "portico.sessions",
    "portico.organizations",
    "portico.admin",
]
LINK = "https://id.example.com/verify?token=abc&lang=de"
WITH_TOKEN = {"url": LINK, "code": "482913", "expires_at": NOW + timedelta(hours=24)}
MAILS: dict[str, dict[str, Any]] = {
    "verify_email": WITH_TOKEN,
    "claim_account": WITH_TOKEN,
    "email_change_confirm": WITH_TOKEN,
    "email_change_notice": {"new_address": "new@example.com"},
    "account_deleted": {"erased_on": "4 February 2026"},
    "already_registered": {},
    "reset_password": WITH_TOKEN,
    "password_changed": {"device": "Firefox on Linux", "address": "203.0.113.7"},
    "welcome_administrator": {},
    "account_created": WITH_TOKEN,
    "new_device": {"device": "Firefox on Linux", "place": "Berlin", "address": "203.0.113.7"},
    "invitation": {
        "url": LINK,
        "organization": "Acme",
        "inviter": "Ada Lovelace",
        "inviter_email": "ada@example.com",
        "expires_at": NOW + timedelta(hours=24),
    },
    "domain_unverified": {"organization": "Acme", "domain": "acme.example.com"},
    "impersonation": {"until": NOW + timedelta(minutes=30), "why": "Ticket 4711"},
}
HOSTILE = [
    '"><img src=x onerror=alert(1)>',
    "</p></td></table><h1>You won</h1>",
    "{{7*7}}{% raw %}${7*7}#{7*7}",
    "%s%(name)s{.__class__}",
    "Ada\r\n\r\nhttps-less paragraph of my own",
    "<!--[if mso]><script>alert(1)</script><![endif]-->",
    "javascript:alert(1)",
    "\u202egnp-exe",
]


@pytest.fixture(scope="module")
def templates() -> MailTemplates:
    settings = Settings(environment="test", public_url="https://id.example.com")
    return MailTemplates(settings, PACKAGES, translations())


def render(templates: MailTemplates, mail: str, language: str = "en", **more: Any) -> Content:
    return templates.render(mail, "ada@example.com", language, {**MAILS[mail], **more}, NOW)


class Tree(HTMLParser):
    """The elements of a document with the names of their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(name for name, _ in attrs)))
        self.links += [value for name, value in attrs if name == "href" and value]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("name", MAILS)
def test_mail_is_complete(templates: MailTemplates, name: str, language: str) -> None:
    mail = render(templates, name, language, name="Ada Lovelace")
    tree = Tree(mail.html)

    assert mail.subject
    assert "\n" not in mail.subject
    assert f'lang="{language}"' in mail.html
    assert "Ada Lovelace" in mail.text
    assert "Ada Lovelace" in tree.text
    assert "ada@example.com" in mail.text
    assert tree.text.count("Portico") >= 2
    assert "\n\n\n" not in mail.text
    if "url" in MAILS[name]:
        assert f"\n{LINK}\n" in mail.text
        assert LINK in tree.links
        assert ("\n    482913\n" in mail.text) is ("code" in MAILS[name])
        assert ("482913" in tree.text) is ("code" in MAILS[name])
        assert ("24 hours" if language == "en" else "24 Stunden") in mail.text


@pytest.mark.parametrize("name", MAILS)
def test_mail_loads_nothing_and_runs_nothing(templates: MailTemplates, name: str) -> None:
    mail = render(templates, name)
    tree = Tree(mail.html)

    forbidden = {"img", "script", "link", "iframe", "object", "form", "svg", "video", "base"}
    assert not forbidden & {tag for tag, _ in tree.elements}
    assert not re.search(r"url\(|@import|@font-face", mail.html)
    assert all(link.startswith("https://id.example.com") for link in tree.links)


@pytest.mark.parametrize("name", MAILS)
def test_mail_differs_in_german(templates: MailTemplates, name: str) -> None:
    english, german = render(templates, name), render(templates, name, "de")

    assert english.subject != german.subject
    for line in re.split(r"\n+", english.text):
        if len(line) > 40 and "://" not in line:
            assert line not in german.text


@pytest.mark.bar("ASVS-1.3.7", "ASVS-1.2.1", "ASVS-1.1.2", "ASVS-1.3.10", "CVE-2024-41953")
@pytest.mark.parametrize("hostile", HOSTILE, ids=ascii)
@pytest.mark.parametrize("name", MAILS)
def test_values_stay_text(templates: MailTemplates, name: str, hostile: str) -> None:
    texts = {key: hostile for key, value in MAILS[name].items() if isinstance(value, str) and key != "url"}
    plain = dict.fromkeys(texts, "Ada")

    tame = Tree(render(templates, name, **plain, name="Ada").html)
    wild = render(templates, name, **texts, name=hostile)

    tree = Tree(wild.html)
    shown = " ".join("".join(c if c.isprintable() else " " for c in hostile).split())
    assert tree.elements == tame.elements
    assert shown in tree.text
    assert shown in wild.text
    assert "\r" not in wild.text
    assert "\u202e" not in wild.text + wild.html


@pytest.mark.bar("CVE-2024-41953")
@pytest.mark.parametrize(
    "name", ["Win at https://evil.example", "www.evil.example", "evil.example/x", "EVIL.IO"]
)
def test_name_that_is_a_link_is_not_greeted(templates: MailTemplates, name: str) -> None:
    mail = render(templates, "verify_email", name=name)

    assert "evil" not in (mail.text + mail.html).lower()


def test_code_that_expires_before_the_link_says_so(templates: MailTemplates) -> None:
    mail = render(templates, "verify_email", code_expires_at=NOW + timedelta(minutes=10))

    said = "The link and the code work once. The link expires in 24 hours, the code in 10 minutes."
    assert said in mail.text
    assert said in mail.html


def test_long_name_is_cut(templates: MailTemplates) -> None:
    mail = render(templates, "verify_email", name="A" * 200)

    assert f"Hello {'A' * 60}…," in mail.text


def test_product_stands_in_every_mail_as_text() -> None:
    settings = Settings(environment="test", public_url="https://id.example.com", name="<b>Shop & Co</b>")
    mail = MailTemplates(settings, PACKAGES, translations()).render(
        "already_registered", "a@b.cc", "en", {}, NOW
    )

    assert mail.subject == "You already have a <b>Shop & Co</b> account"
    assert "&lt;b&gt;Shop &amp; Co&lt;/b&gt;" in mail.html


def test_missing_value_is_an_error(templates: MailTemplates) -> None:
    with pytest.raises(UndefinedError):
        templates.render("email_change_notice", "ada@example.com", "en", {}, NOW)


def test_unknown_mail_is_an_error(templates: MailTemplates) -> None:
    with pytest.raises(TemplateNotFound):
        templates.render("../../models", "ada@example.com", "en", {}, NOW)


def test_earlier_package_replaces_a_mail(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "shop_mails" / "templates" / "mail"
    folder.mkdir(parents=True)
    (tmp_path / "shop_mails" / "__init__.py").touch()
    (folder / "already_registered.subject.txt.jinja").write_text("Our own words", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    settings = Settings(environment="test")

    mail = MailTemplates(settings, ["shop_mails", *PACKAGES], Translations()).render(
        "already_registered", "a@b.cc", "en", {}, NOW
    )

    assert mail.subject == "Our own words"
    assert "You already have an account" in mail.html


@pytest.mark.parametrize(
    ("minutes", "english", "german"),
    [
        (0, "1 minute", "1 Minute"),
        (1, "1 minute", "1 Minute"),
        (30, "30 minutes", "30 Minuten"),
        (60, "1 hour", "1 Stunde"),
        (90, "90 minutes", "90 Minuten"),
        (24 * 60, "24 hours", "24 Stunden"),
        (47 * 60 + 59, "47 hours", "47 Stunden"),
        (7 * 24 * 60, "7 days", "7 Tage"),
    ],
)
def test_duration_in_words(minutes: int, english: str, german: str) -> None:
    value = timedelta(minutes=minutes)

    assert duration(value, translations().translator("en")) == english
    assert duration(value, translations().translator("de")) == german


def test_styles_are_written_into_elements_and_jinja_stays() -> None:
    source = (
        '{% if x %}<a class="link" href="{{ url }}?a=1&amp;b=2">'
        "{% trans %}<b>Hi</b> {{ x }}{% endtrans %}</a>{% endif %}"
    )

    inlined = inline_styles(source)

    assert 'style="color: #2e4cc4;' in inlined
    assert inlined.startswith("{% if x %}<a ")
    assert 'href="{{ url }}?a=1&amp;b=2"' in inlined
    assert "{% trans %}<b>Hi</b> {{ x }}{% endtrans %}</a>{% endif %}" in inlined


@pytest.mark.parametrize("source", ['<p {% if x %}class="soft"{% endif %}>x</p>', "<p {{ x }}>x</p>"])
def test_jinja_between_attributes_is_refused(source: str) -> None:
    with pytest.raises(ValueError, match="inside a tag"):
        inline_styles(source)


def test_styles_are_not_inlined_again_for_each_mail(
    templates: MailTemplates, monkeypatch: pytest.MonkeyPatch
) -> None:
    render(templates, "verify_email")
    monkeypatch.delattr("portico.mail.inlining.css_inline")

    assert 'style="' in render(templates, "verify_email").html
