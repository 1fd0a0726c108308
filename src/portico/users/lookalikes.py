# ruff: noqa: RUF001 - look-alike letters are what this table is about
"""Letters that can be taken for Latin ones. Data, no code.

A subset of Unicode Technical Standard #39, section 4 (`confusables.txt` of Unicode 15, Unicode licence): the Cyrillic,
Greek, Armenian and Latin small letters whose target is plain ASCII. Added: small letters whose capitals look
Latin (Cyrillic ve and en), because names are compared without regard to case, and Latin letters with a stroke.
"""

LOOKS_LIKE = {
    # Cyrillic
    "а": "a", "в": "b", "г": "r", "е": "e", "з": "3", "к": "k", "м": "m", "н": "h", "о": "o", "р": "p", "с": "c",
    "т": "t", "у": "y", "х": "x", "б": "6", "ѕ": "s", "і": "i", "ј": "j", "ѡ": "w", "ѵ": "v", "ґ": "r", "ү": "y",
    "һ": "h", "ҽ": "e", "ӏ": "l", "ԁ": "d", "ԛ": "q", "ԝ": "w", "ꙇ": "i", "ӕ": "ae", "є": "e", "ё": "e", "ї": "i",
    # Greek
    "α": "a", "β": "b", "γ": "y", "ε": "e", "ζ": "z", "η": "n", "ι": "i", "κ": "k", "μ": "m", "ν": "v", "ο": "o",
    "ρ": "p", "σ": "o", "ς": "c", "τ": "t", "υ": "u", "χ": "x", "ω": "w", "ϳ": "j",
    # Armenian
    "ա": "w", "գ": "q", "զ": "q", "հ": "h", "ո": "n", "ռ": "n", "ս": "u", "ց": "g", "ք": "f", "օ": "o",
    # Latin beyond ASCII
    "æ": "ae", "œ": "oe", "ı": "i", "ȷ": "j", "ɑ": "a", "ɡ": "g", "ɣ": "y", "ɩ": "i", "ɪ": "i", "ɯ": "w", "ʋ": "u",
    "ʏ": "y", "ƍ": "g", "ƽ": "s", "ȣ": "8", "ɛ": "e", "ø": "o", "đ": "d", "ð": "d", "ħ": "h", "ł": "l", "ŧ": "t",
    "ß": "b", "ƒ": "f", "ǀ": "l", "ǁ": "ll", "ʣ": "dz", "ʦ": "ts", "ʪ": "ls", "ʫ": "lz", "ᴄ": "c", "ᴏ": "o",
    "ᴑ": "o", "ᴜ": "u", "ᴠ": "v", "ᴡ": "w", "ᴢ": "z", "ᵫ": "ue", "ᶃ": "g", "ᶌ": "y", "ꜱ": "s", "ꜳ": "aa",
    "ꜵ": "ao", "ꜷ": "au", "ꜹ": "av", "ꜽ": "ay", "ꝏ": "oo", "ꞙ": "f", "ꞟ": "u", "ꬲ": "e", "ꬵ": "f", "ꬽ": "o",
    "ꭇ": "r", "ꭎ": "u", "ꭒ": "u", "ꭚ": "y",
}  # fmt: skip
