"""The command `portico doctor mcp`: its options, and what they become."""

import json
import sys
from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer

from portico.cli.mcp_doctor.profiles import PROFILES

NAMES: Final = [profile.name for profile in PROFILES]
URL = typer.Argument(help="The address that clients are given: https://api.example.com/mcp")
PROFILE = typer.Option(
    "--profile", "-p", help=f"Connect as this client; may be given several times. One of {', '.join(NAMES)}."
)
AS_JSON = typer.Option("--json", help="Print JSON, for scripts.")
USERNAME = typer.Option(
    help="Fill Portico's sign-in form with this name, and approve; without it a browser opens."
)
PASSWORD_STDIN = typer.Option("--password-stdin", help="Read the password from standard input, one line.")
STOP = typer.Option("--stop-before-sign-in", help="Go as far as nobody has to sign in.")
REGISTRATION = typer.Option(
    help="How clients make themselves known: auto, by their metadata document, or dynamically."
)
DOCUMENT = typer.Option(
    help="Name this metadata document instead of the client's own; it must list the client's redirect URI."
)
TOOL = typer.Option(help="Call this tool instead of asking for the list of tools.")
ARGUMENTS = typer.Option(help="Arguments of the tool, a JSON object.")


def examine_mcp(
    url: Annotated[str, URL],
    *,
    profile: Annotated[list[str] | None, PROFILE] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    username: Annotated[str | None, USERNAME] = None,
    password_stdin: Annotated[bool, PASSWORD_STDIN] = False,
    stop_before_sign_in: Annotated[bool, STOP] = False,
    registration: Annotated[str, REGISTRATION] = "auto",
    document: Annotated[str | None, DOCUMENT] = None,
    tool: Annotated[str | None, TOOL] = None,
    arguments: Annotated[str, ARGUMENTS] = "{}",
) -> None:
    """Connect to an MCP server as real clients do; exit with 1 if one of them cannot.

    Any server, also one that is no Portico. Without --profile: all clients where nobody has to sign in by hand, else
    the first. Registers clients, and leaves them behind.
    """
    import anyio
    from rich.console import Console

    from portico.cli.mcp_doctor.examining import examine
    from portico.cli.mcp_doctor.reporting import reports_as_json, show_reports
    from portico.cli.mcp_doctor.walking import Options

    options = Options(
        credentials=_credentials(username, password_stdin=password_stdin),
        stops_before_sign_in=stop_before_sign_in,
        registering=_registering(registration),
        document=document,
        tool=tool,
        arguments=_arguments(arguments),
    )
    chosen = _profiles(profile, by_hand=options.credentials is None and not stop_before_sign_in)
    errors = Console(stderr=True, highlight=False)
    reports = anyio.run(
        examine, _checked(url), chosen, options, lambda text: errors.print(text, markup=False)
    )
    if as_json:
        typer.echo(reports_as_json(url, reports))
    else:
        show_reports(reports, Console(highlight=False))
    if not all(report.passed for report in reports):
        raise typer.Exit(1)


def _checked(url: str) -> str:
    from portico.oauth.protocol.uris import read_http_uri

    uri = read_http_uri(url)
    if uri is None or uri.fragment:
        raise typer.BadParameter(f"{url!r} is not an http or https URL", param_hint="URL")
    return url


def _profiles(names: list[str] | None, *, by_hand: bool) -> "list[Any]":
    if unknown := [name for name in names or () if name not in NAMES]:
        raise typer.BadParameter(f"no client is called {', '.join(unknown)}", param_hint="--profile")
    if names:
        return [profile for profile in PROFILES if profile.name in names]
    return list(PROFILES[:1] if by_hand else PROFILES)


def _credentials(username: str | None, *, password_stdin: bool) -> Any:
    from portico.cli.mcp_doctor.walking import Credentials

    if (username is None) is password_stdin:
        raise typer.BadParameter("--username and --password-stdin belong together")
    return None if username is None else Credentials(username, sys.stdin.readline().rstrip("\n"))


def _registering(written: str) -> Any:
    from portico.cli.mcp_doctor.walking import Registering

    try:
        return Registering(written)
    except ValueError:
        raise typer.BadParameter(f"one of {', '.join(Registering)}", param_hint="--registration") from None


def _arguments(written: str) -> Mapping[str, Any]:
    try:
        value = json.loads(written)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise typer.BadParameter("a JSON object", param_hint="--arguments")
    return value
