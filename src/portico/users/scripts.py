"""Telling alphabets apart with what the standard library knows. Pure, no I/O.

Python has no Script property, but the first word of a character's name is one for every alphabet that people write
names in (`LATIN SMALL LETTER A`, `CYRILLIC SMALL LETTER A`). Japanese and Korean mix scripts by nature and count as
one each, as in the "highly restrictive" level of Unicode Technical Standard #39, section 5.2.
"""

import unicodedata

WRITING_SYSTEMS = (
    frozenset({"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "IDEOGRAPHIC"}),
    frozenset({"CJK", "HANGUL"}),
    frozenset({"CJK", "BOPOMOFO"}),
)
BEYOND_SCRIPTS = "MNPS"  # marks, numbers, punctuation and symbols belong to no alphabet


def scripts_of(text: str) -> frozenset[str]:
    """Return the alphabets whose letters stand in the text."""
    letters = (character for character in text if unicodedata.category(character)[0] not in BEYOND_SCRIPTS)
    return frozenset(unicodedata.name(letter, "UNKNOWN").split(" ")[0] for letter in letters)


def is_one_script(text: str) -> bool:
    """Tell whether all letters are of one alphabet, or of one writing system that mixes several."""
    scripts = scripts_of(text)
    return len(scripts) <= 1 or any(scripts <= system for system in WRITING_SYSTEMS)
