"""Languages: which one a person gets, and the texts in it.

English is written in the code and the templates; the other languages stand in gettext catalogues at
`<package>/locale/<language>/LC_MESSAGES/portico.po`, Portico's own in `portico/locale/`. A catalogue is read
when its language is first asked for: nothing has to be compiled. `scripts/messages.py` extracts and checks.
"""

import gettext as catalogues
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from io import BytesIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment
    from jinja2.runtime import Context

SOURCE_LANGUAGE = "en"
DOMAIN = "portico"
LONGEST_PREFERENCE = 300
"""Characters of an `Accept-Language` that are looked at; browsers send fewer than 100."""


def mark(message: str) -> str:
    """Mark a text for extraction where it is written, to be translated where it is shown."""
    return message


class Translator:
    """The texts in one language."""

    def __init__(self, language: str, catalogue: catalogues.NullTranslations) -> None:
        self.language = language
        self._catalogue = catalogue

    def gettext(self, message: str, /, **values: Any) -> str:
        """Return the text, with `%(name)s` filled in when there are values."""
        text = self._catalogue.gettext(message)
        return text % values if values else text

    def ngettext(self, one: str, many: str, n: int, /, **values: Any) -> str:
        """Return the text for `n` things; `%(n)s` is the number."""
        return self._catalogue.ngettext(one, many, n) % {"n": n, **values}

    def pgettext(self, meaning: str, message: str, /, **values: Any) -> str:
        """Return the text that `message` has in one meaning of several."""
        text = self._catalogue.pgettext(meaning, message)
        return text % values if values else text

    def npgettext(self, meaning: str, one: str, many: str, n: int, /, **values: Any) -> str:
        """Return the text for `n` things in one meaning of several."""
        return self._catalogue.npgettext(meaning, one, many, n) % {"n": n, **values}

    @cached_property
    def template_names(self) -> Mapping[str, Callable[..., str]]:
        """What a template needs in its context for `{% trans %}`, `_("…")` and `ngettext(…)`.

        Values that are filled in are escaped where the template escapes. Macros see these names only when
        they are imported `with context`.
        """
        plain: dict[str, Callable[..., str]] = {
            "gettext": self._catalogue.gettext,
            "ngettext": self._catalogue.ngettext,
            "pgettext": self._catalogue.pgettext,
            "npgettext": self._catalogue.npgettext,
        }
        named = {name: _for_templates(lookup, plural=name.startswith("n")) for name, lookup in plain.items()}
        return {**named, "_": named["gettext"]}


def _for_templates(lookup: Callable[..., str], *, plural: bool) -> Callable[..., str]:
    from jinja2 import pass_context  # 2 MB and 25 ms that a worker without pages and mails does without
    from markupsafe import Markup

    @pass_context
    def translate(context: "Context", *message: Any, **values: Any) -> str:
        text = lookup(*message)
        if context.eval_ctx.autoescape:
            text = Markup(text)  # noqa: S704 - our own catalogue; the values are escaped by the % below
        if plural:
            values.setdefault("num", message[-1])
            values.setdefault("n", message[-1])
        return text % values

    return translate


class Translations:
    """The catalogues of a set of packages; those named first win, so that a product may reword Portico."""

    def __init__(self, packages: Sequence[str] = (DOMAIN,)) -> None:
        """Take the packages whose `locale/` folders hold catalogues."""
        self._folders = [files(package) / "locale" for package in packages]
        self._translators: dict[str, Translator] = {}
        self.languages = (SOURCE_LANGUAGE, *sorted(_languages(self._folders) - {SOURCE_LANGUAGE}))

    def negotiate(self, *preferences: str | None) -> str:
        """Return the language to use, from the strongest preference on.

        Each preference is a locale (`de_AT`) or an `Accept-Language` header (RFC 9110, section 12.5.4); what
        is empty, malformed or not spoken here is passed over. English when nothing fits.
        """
        for preference in preferences:
            for wanted in _wanted((preference or "")[:LONGEST_PREFERENCE]):
                if wanted in self.languages:
                    return wanted
        return SOURCE_LANGUAGE

    def translator(self, *preferences: str | None) -> Translator:
        """Return the texts in the language that `negotiate` chooses."""
        language = self.negotiate(*preferences)
        if language not in self._translators:
            self._translators[language] = Translator(language, self._read(language))
        return self._translators[language]

    def _read(self, language: str) -> catalogues.NullTranslations:
        merged = catalogues.NullTranslations()
        for folder in reversed(self._folders):
            path = _catalogue_path(folder, language)
            if path.is_file():
                read = read_catalogue(path, language)
                read.add_fallback(merged)
                merged = read
        return merged


@lru_cache(maxsize=1)
def translations() -> Translations:
    """Return Portico's own catalogues."""
    return Translations()


def negotiate(*preferences: str | None) -> str:
    """Return the language of Portico's own catalogues that fits best; see `Translations.negotiate`."""
    return translations().negotiate(*preferences)


def prepare(environment: "Environment") -> None:
    """Let templates say `{% trans %}`; each rendering brings the `template_names` of a `Translator`."""
    environment.add_extension("jinja2.ext.i18n")
    environment.policies["ext.i18n.trimmed"] = (
        True  # a text may run over lines, and is one line for translators
    )
    environment.newstyle_gettext = True  # type: ignore[attr-defined]  # added by the extension


def read_catalogue(path: Traversable, language: str) -> catalogues.GNUTranslations:
    """Return a `.po` file ready for use; fuzzy and empty entries are left out."""
    from babel.messages.mofile import write_mo  # 30 ms, and only for those who do not read English
    from babel.messages.pofile import read_po

    compiled = BytesIO()
    with path.open("rb") as source:
        write_mo(compiled, read_po(source, locale=language))
    compiled.seek(0)
    return catalogues.GNUTranslations(compiled)


def _catalogue_path(folder: Traversable, language: str) -> Traversable:
    return folder / language / "LC_MESSAGES" / f"{DOMAIN}.po"


def _languages(folders: Sequence[Traversable]) -> set[str]:
    found: set[str] = set()
    for folder in folders:
        if folder.is_dir():
            found |= {
                entry.name for entry in folder.iterdir() if _catalogue_path(folder, entry.name).is_file()
            }
    return found


def _wanted(preference: str) -> list[str]:
    """Return the languages of a locale or an `Accept-Language`, best first; those with q=0 left out."""
    weighed: list[tuple[float, str]] = []
    for part in preference.split(","):
        tag, _, parameters = part.strip().partition(";")
        weight = _weight(parameters)
        if weight > 0:
            weighed.append((weight, tag.strip().replace("_", "-").partition("-")[0].lower()))
    return [tag for _, tag in sorted(weighed, key=lambda entry: -entry[0])]


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
