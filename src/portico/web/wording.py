"""What went wrong, in the reader's language.

Errors carry English sentences. One that stands in the catalogue is shown translated; numbers in it are looked up as
`%(n)s`, a second one as `%(m)s` ("Use at least 8 characters."). A detail that nobody translated gives way to the
error's title, so that a German page does not switch languages in mid-air.
"""

import re

from portico.core.errors import FieldFault, PorticoError
from portico.web.translations import SOURCE_LANGUAGE, Translator, mark

FILL_IN = mark("Fill this in.")
NOT_VALID = mark("This is not valid.")
TOO_SHORT = mark("Use at least %(n)s characters.")
TOO_LONG = mark("Use at most %(n)s characters.")

TITLES = (
    mark("Something went wrong"),
    mark("The request cannot be understood"),
    mark("Sign in to go on"),
    mark("You may not do this"),
    mark("Not found"),
    mark("This does not fit the present state"),
    mark("This is no longer available"),
    mark("Someone changed this in the meantime"),
    mark("The request is too large"),
    mark("Some values are not valid"),
    mark("Too many requests"),
    mark("Busy, try again in a moment"),
)
"""The titles of `portico.core.errors`, which is below translations."""

NUMBER_NAMES = ("n", "m")
_NUMBER = re.compile(r"\d+")


def explain(error: PorticoError, translator: Translator) -> str:
    """Return one sentence on what was refused: the detail, or the title where the detail has no translation."""
    return _find(error.detail, translator) or _find(error.title, translator) or error.title


def explain_fault(fault: FieldFault, translator: Translator) -> str:
    """Return what is wrong with one field."""
    return _find(fault.message, translator) or translator.gettext(NOT_VALID)


def _find(message: str, translator: Translator) -> str | None:
    if translator.language == SOURCE_LANGUAGE:
        return message
    translated = translator.gettext(message)
    if translated != message:
        return translated
    numbers = dict(zip(NUMBER_NAMES, _NUMBER.findall(message), strict=False))
    names = iter(numbers)
    pattern = _NUMBER.sub(lambda found: f"%({name})s" if (name := next(names, None)) else found[0], message)
    translated = translator.gettext(pattern)
    return translated % numbers if translated != pattern else None
