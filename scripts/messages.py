"""Texts for translators: `extract` brings the catalogues up to date, `check` says what is missing or wrong.

English stands in the templates (`{% trans %}`, `_("…")`) and in Python (`gettext`, `ngettext`, `mark`, the `title`
of errors, the `label` of account sections). Every other language has one catalogue, `src/portico/locale/`.
"""

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from babel import Locale
from babel.messages import Catalog
from babel.messages.catalog import Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

SOURCE = Path(__file__).resolve().parent.parent / "src" / "portico"
CATALOGUES = SOURCE / "locale"
METHODS = [("**/templates/**.jinja", "jinja2.ext:babel_extract"), ("**.py", "python")]
OPTIONS = {"**/templates/**.jinja": {"trimmed": "true", "silent": "false", "newstyle_gettext": "true"}}
KEYWORDS = {
    "_": None,
    "gettext": None,
    "mark": None,
    "ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}
PLACEHOLDER = re.compile(r"%\(\w+\)s|%%")

HEADER = """\
# {name} texts of Portico.
msgid ""
msgstr ""
"Language: {language}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: {plural_forms}\\n"

"""

type Key = tuple[str | None, str]


def extracted() -> Catalog:
    """Return every text of the source, with where it stands."""
    catalogue = Catalog(project="Portico", charset="utf-8")
    found = extract_from_dir(
        SOURCE, METHODS, OPTIONS, KEYWORDS, comment_tags=("Translators:",), strip_comment_tags=True
    )
    for filename, line, message, comments, context in found:
        catalogue.add(message, locations=[(_place(filename), line)], auto_comments=comments, context=context)
    for path in sorted(SOURCE.rglob("*.py")):
        for line, message in _declared_texts(ast.parse(path.read_text(encoding="utf-8"))):
            catalogue.add(message, locations=[(_place(path.relative_to(SOURCE)), line)])
    return catalogue


def _place(path: str | Path) -> str:
    return Path(path).as_posix()


def _declared_texts(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield texts that are shown to people and carry no marker: titles of errors, labels of account sections."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            yield from _titles(node)
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "AccountSection"
        ):
            labels = [*node.args[:1], *(word.value for word in node.keywords if word.arg == "label")]
            for label in labels:
                yield from _text(label)


def _titles(node: ast.Assign) -> Iterator[tuple[int, str]]:
    """Yield the title of `title = "…"` and of `code, title, status = "…", "…", 400`."""
    for target in node.targets:
        names = target.elts if isinstance(target, ast.Tuple) else [target]
        values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
        for name, value in zip(names, values, strict=False):
            if isinstance(name, ast.Name) and name.id == "title":
                yield from _text(value)


def _text(node: ast.expr) -> Iterator[tuple[int, str]]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.lineno, node.value


def languages() -> list[str]:
    """Return the languages that there are catalogues for."""
    return sorted(path.parent.parent.name for path in CATALOGUES.glob("*/LC_MESSAGES/portico.po"))


def path_of(language: str) -> Path:
    """Return the catalogue of a language."""
    return CATALOGUES / language / "LC_MESSAGES" / "portico.po"


def read(language: str) -> Catalog:
    """Return a language's catalogue."""
    with path_of(language).open("rb") as file:
        return read_po(file, locale=language)


def extract() -> None:
    """Write new texts into every catalogue, untranslated, and take out those that are gone."""
    template = extracted()
    for language in languages():
        catalogue = read(language)
        catalogue.update(template, no_fuzzy_matching=True, update_header_comment=False)
        catalogue.obsolete.clear()
        write(language, catalogue)
        print(f"{language}: {len(template)} texts, {len(untranslated(catalogue))} to translate")


def write(language: str, catalogue: Catalog) -> None:
    """Write a catalogue in the same order whoever writes it, without dates and line numbers."""
    name = Locale.parse(language).get_display_name("en")
    header = HEADER.format(name=name, language=language, plural_forms=catalogue.plural_forms)
    with path_of(language).open("wb") as file:
        file.write(header.encode())
        write_po(file, catalogue, width=110, sort_output=True, omit_header=True, include_lineno=False)


def untranslated(catalogue: Catalog) -> list[Message]:
    """Return the texts that have no translation, or one that is only a guess."""
    return [
        message
        for message in catalogue
        if message.id and (message.fuzzy or not all(_strings(message.string)))
    ]


def faults(language: str) -> list[str]:
    """Return what is wrong with a catalogue, a sentence each; empty when all is well."""
    catalogue, template = read(language), extracted()
    wanted, present = _keys(template), _keys(catalogue)
    missing = [f"not in the catalogue: {_shown(wanted[key])}" for key in wanted.keys() - present.keys()]
    gone = [f"no longer in the source: {_shown(present[key])}" for key in present.keys() - wanted.keys()]
    empty = [f"not translated: {_shown(message)}" for message in untranslated(catalogue)]
    wrong = [
        f"other placeholders: {_shown(message)}"
        for message in catalogue
        if not _has_same_placeholders(message)
    ]
    return sorted([*missing, *gone, *empty, *wrong])


def _keys(catalogue: Catalog) -> dict[Key, Message]:
    # A singular text may also be the singular of a plural: gettext keeps both under the first form.
    return {(message.context, _strings(message.id)[0]): message for message in catalogue if message.id}


def _strings(text: object) -> tuple[str, ...]:
    """Return the forms of a text: one, or one for each number; what is not written yet is empty."""
    if isinstance(text, list | tuple):
        return tuple(form or "" for form in text)
    return (text,) if isinstance(text, str) else ("",)


def _shown(message: Message) -> str:
    place = f" ({message.locations[0][0]})" if message.locations else ""
    return f"{_strings(message.id)[0]!r}{place}"


def _has_same_placeholders(message: Message) -> bool:
    """Tell whether each translation fills in what the English text does; the number may be spelt out."""
    originals = _strings(message.id)
    allowed = [_placeholders(original) for original in originals]
    return all(_placeholders(text) in allowed for text in _strings(message.string) if text)


def _placeholders(text: str) -> Counter[str]:
    return Counter(PLACEHOLDER.findall(text))


def check(wanted: Iterable[str]) -> int:
    """Print every fault of these languages; return how many there are."""
    count = 0
    for language in wanted:
        for fault in faults(language):
            print(f"{language}: {fault}")
            count += 1
    return count


def main(arguments: list[str]) -> int:
    """Run one of the two commands; 1 if the check found something, 2 if the command is not known."""
    match arguments:
        case ["extract"]:
            extract()
            return 0
        case ["check"]:
            return 1 if check(languages()) else 0
        case _:
            print(__doc__)
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
