"""The Jinja environment of all pages: escaped, strict. Imported when the first page is rendered."""

from collections.abc import Mapping
from datetime import datetime

from jinja2 import Environment, PackageLoader, PrefixLoader, StrictUndefined, pass_context
from jinja2.runtime import Context

from portico.web import moments
from portico.web.translations import prepare
from portico.web.wording import explain, explain_fault


def page_environment(packages: Mapping[str, str], names: Mapping[str, object]) -> Environment:
    """Return the environment for templates of these packages, where every template knows these `names`."""
    loaders = {name: PackageLoader(package) for name, package in packages.items()}
    environment = Environment(
        loader=PrefixLoader(loaders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    prepare(environment)
    environment.filters.update(
        day=_day,
        clock=_clock,
        ago=_ago,
        explain=_explain,
        explain_fault=_explain_fault,
        translated=_translated,
    )
    environment.globals.update(names, time_zones=moments.zones)
    return environment


@pass_context
def _day(context: Context, value: datetime, timezone: str) -> str:
    return moments.day(value, context["page"].language, timezone)


@pass_context
def _clock(context: Context, value: datetime, timezone: str = "UTC") -> str:
    return moments.clock(value, context["page"].language, timezone)


@pass_context
def _ago(context: Context, value: datetime) -> str:
    return moments.ago(value, context["now"](), context["page"].language)


@pass_context
def _explain(context: Context, error: object) -> str:
    return explain(error, context["page"].translator)  # type: ignore[arg-type]  # templates pass errors


@pass_context
def _explain_fault(context: Context, fault: object) -> str:
    return explain_fault(fault, context["page"].translator)  # type: ignore[arg-type]  # as above


@pass_context
def _translated(context: Context, text: str) -> str:
    """Translate a text that stands in a variable; what has no translation stays, and is escaped like any other text.

    Not `gettext(text)`: in templates it takes its argument for markup of ours (Jinja's newstyle), and a name that
    somebody typed would be let through as it is.
    """
    translated: str = context["page"].translator.gettext(text) if text else ""
    return translated
