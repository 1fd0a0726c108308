"""Writes the CSS of mails into their elements, when a template is loaded and not when a mail is rendered.

Many mail programs drop `<style>`. Inlining a finished mail would put people's names through an HTML parser and
cost 65 µs for each (a rendering takes 160); here the parser sees only our own template, Jinja hidden from it.
"""

import re
from functools import cache
from importlib.resources import files

import css_inline

_JINJA = re.compile(
    r"{%-?\s*trans\b.*?{%-?\s*endtrans\s*-?%}"  # whole: what is in it is a text for translators
    r"|{{.*?}}|{%.*?%}|{#.*?#}",
    re.DOTALL,
)
_OPEN, _CLOSE = "\ue000", "\ue001"
_HIDDEN = re.compile(f"(<!--)?{_OPEN}([0-9]+){_CLOSE}(-->)?")
_MISPLACED = re.compile(f'{_CLOSE}(--)?=""')
"""An attribute made of something hidden: it stood in a tag where only names of attributes may stand."""


def inline_styles(source: str) -> str:
    """Return a template with the style sheet of mails in its elements.

    Statements may stand where a comment may, expressions also in the values of attributes.

    Raises:
        ValueError: something stands inside a tag and outside its values.
    """
    hidden: list[str] = []

    def hide(match: re.Match[str]) -> str:
        hidden.append(match.group())
        token = f"{_OPEN}{len(hidden) - 1}{_CLOSE}"
        return token if _is_text(match.group()) else f"<!--{token}-->"

    inlined = _inlined(_JINJA.sub(hide, source))
    if _MISPLACED.search(inlined):
        raise ValueError("Jinja stands inside a tag, outside the values of its attributes")
    return _HIDDEN.sub(lambda match: hidden[int(match[2])], inlined)


def _is_text(jinja: str) -> bool:
    return jinja.startswith("{{") or "endtrans" in jinja


def _inlined(html: str) -> str:
    if "<html" in html:
        return css_inline.CSSInliner(extra_css=_style_sheet(), load_remote_stylesheets=False).inline(html)
    return css_inline.CSSInliner(load_remote_stylesheets=False).inline_fragment(html, _style_sheet())


@cache
def _style_sheet() -> str:
    return (files("portico.mail") / "templates" / "mail" / "mail.css").read_text(encoding="utf-8")
