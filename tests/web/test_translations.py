"""Which language a person gets, and that values filled into a text stay values."""

from pathlib import Path
from types import ModuleType

import pytest
from jinja2 import Environment, StrictUndefined

from portico.web.translations import Translations, Translator, prepare, translations

CATALOGUE = """
msgid ""
msgstr ""
"Language: {language}\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\\n"

msgid "Hello %(name)s"
msgstr "{hello} %(name)s"

msgid "%(n)s device"
msgid_plural "%(n)s devices"
msgstr[0] "%(n)s Gerät"
msgstr[1] "%(n)s Geräte"
"""


@pytest.fixture
def product(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Translations:
    """The catalogues of a product that speaks German and French."""
    for package, language, hello in (
        ("shop_a", "de", "Guten Tag"),
        ("shop_b", "fr", "Salut"),
        ("shop_b", "de", "Na"),
    ):
        folder = tmp_path / package / "locale" / language / "LC_MESSAGES"
        folder.mkdir(parents=True)
        (tmp_path / package / "__init__.py").touch()
        (folder / "portico.po").write_text(CATALOGUE.format(language=language, hello=hello), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    return Translations(["shop_a", "shop_b"])


@pytest.mark.parametrize(
    ("preferences", "language"),
    [
        (["de"], "de"),
        (["de_AT"], "de"),
        (["de-CH"], "de"),
        (["DE"], "de"),
        ([None, "fr;q=0.3, de;q=0.9, en;q=0.1"], "de"),
        (["", "en-GB,en;q=0.8,de;q=0.5"], "en"),
        (["fr", "de"], "de"),
        (["de;q=0"], "en"),
        (["de;q=nonsense"], "en"),
        (["*"], "en"),
        (["../../etc/passwd"], "en"),
        (["x" * 100_000], "en"),
        ([], "en"),
    ],
)
def test_negotiate_takes_the_strongest_language_that_is_spoken(
    preferences: list[str | None], language: str
) -> None:
    assert translations().negotiate(*preferences) == language


def test_first_package_wins_over_later_ones(product: Translations) -> None:
    assert product.languages == ("en", "de", "fr")
    assert product.translator("de").gettext("Hello %(name)s", name="Ada") == "Guten Tag Ada"
    assert product.translator("fr").gettext("Hello %(name)s", name="Ada") == "Salut Ada"


def test_plural_follows_the_number(product: Translations) -> None:
    german = product.translator("de")

    assert german.ngettext("%(n)s device", "%(n)s devices", 1) == "1 Gerät"
    assert german.ngettext("%(n)s device", "%(n)s devices", 2) == "2 Geräte"


@pytest.mark.bar("ASVS-1.2.1")
def test_values_in_translated_markup_are_escaped(product: Translations) -> None:
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    prepare(environment)
    template = environment.from_string(
        "{% trans name=name %}Hello {{ name }}{% endtrans %} {{ _('Hello %(name)s', name=name) }}"
        "{% trans count=2 %}{{ count }} device{% pluralize %}{{ count }} devices{% endtrans %}"
    )

    page = template.render(product.translator("de").template_names, name='"><img src=x>%(x)s{{7*7}}')

    hello = "Guten Tag &#34;&gt;&lt;img src=x&gt;%(x)s{{7*7}}"
    assert page == f"{hello} {hello}2 devices"


def test_source_language_needs_no_catalogue(product: Translations, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portico.web.translations.read_catalogue", ModuleType.__call__)

    english: Translator = product.translator("en")

    assert english.gettext("Hello %(name)s", name="Ada") == "Hello Ada"
