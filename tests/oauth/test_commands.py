"""`portico client …` and `portico resource …`."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Outcome, Portico, folder, portico

__all__ = ["folder", "portico"]

API = "https://api.acme.example/mcp"


@pytest.fixture
def migrated(portico: Portico) -> Portico:
    """Return what runs `portico` over a database that is ready."""
    assert portico("migrate").status == 0
    return portico


def facts_of(outcome: Outcome) -> Any:
    """Return what a command printed as JSON."""
    assert outcome.status == 0, outcome.err
    return json.loads(outcome.out)


def test_a_server_app_is_made_and_its_secret_printed_once(migrated: Portico) -> None:
    made = migrated(
        "client", "create", "Acme", "--kind", "server", "--redirect-uri", "https://acme.example/callback"
    )
    client_id = re.search(r"^client_id +(\S+)$", made.out, re.MULTILINE)
    assert client_id is not None, made.out + made.err
    shown = migrated("client", "show", client_id[1])
    listed = migrated("client", "list")

    assert re.search(r"^client_secret +pcs_[A-Za-z0-9_-]{40,}$", made.out, re.MULTILINE)
    assert "not shown again" in made.err
    assert "client_secret " not in shown.out
    assert "https://acme.example/callback" in shown.out
    assert listed.out == f"{client_id[1]}  on   administrator  Acme\n"


def test_a_client_is_made_rotated_switched_and_deleted_by_a_script(migrated: Portico) -> None:
    made = facts_of(migrated("client", "create", "Robot", "--kind", "machine", "--json"))
    client_id = made["client_id"]
    rotated = facts_of(migrated("client", "rotate", client_id, "--overlap-hours", "0", "--json"))
    off = migrated("client", "disable", client_id)
    found = facts_of(migrated("client", "list", "--find", "rob", "--json"))
    on = migrated("client", "enable", client_id)
    seen = facts_of(migrated("client", "show", client_id, "--json"))
    deleted = migrated("client", "delete", client_id)
    after = migrated("client", "list")

    assert rotated["client_secret"].startswith("pcs_")
    assert rotated["client_secret"] != made["client_secret"]
    assert (off.out, on.out) == (f"{client_id} is off.\n", f"{client_id} is on.\n")
    assert [(each["client_id"], each["disabled_at"] is None) for each in found] == [(client_id, False)]
    assert [each["hint"] for each in seen["secrets"]] == [rotated["client_secret"][:8]]
    assert deleted.status == 0
    assert after.out == "There are no clients.\n"


def test_what_options_do_not_say_comes_from_a_file(migrated: Portico, folder: Path) -> None:
    (folder / "client.json").write_text('{"contacts": ["a@acme.example"], "client_name": "Other"}')

    made = facts_of(
        migrated("client", "create", "Acme", "--kind", "machine", "--metadata", "client.json", "--json")
    )

    assert (made["client_name"], made["contacts"]) == ("Acme", ["a@acme.example"])


def test_an_application_of_before_pkce_is_let_in_as_it_is(migrated: Portico) -> None:
    """It has a secret and checks a nonce (RFC 9700, section 2.1.1), and reads its claims in the ID token alone."""
    to = ("--redirect-uri", "https://acme.example/callback", "--json")
    made = facts_of(
        migrated("client", "create", "Old", "--kind", "server", "--without-pkce", "--claims-in-id-token", *to)
    )
    usual = facts_of(migrated("client", "create", "New", "--kind", "server", *to))
    public = migrated("client", "create", "Page", "--kind", "browser", "--without-pkce", *to)

    assert (made["policy"]["requires_pkce"], made["policy"]["claims_in_id_token"]) == (False, True)
    assert (usual["policy"]["requires_pkce"], usual["policy"]["claims_in_id_token"]) == (True, False)
    assert public.status != 0
    assert "always needs PKCE" in public.err


def test_an_api_is_added_listed_and_removed(migrated: Portico) -> None:
    added = migrated(
        "resource",
        "add",
        API,
        "--name",
        "Tools",
        "--scope",
        "tools:read=Read your tools",
        "--scope",
        "x:y=Z = z",
    )
    again = migrated("resource", "add", f"{API}/")
    client = facts_of(
        migrated(
            "client",
            "create",
            "Robot",
            "--kind",
            "machine",
            "--scope",
            "tools:read",
            "--resource",
            API,
            "--json",
        )
    )
    listed = {each["identifier"]: each for each in facts_of(migrated("resource", "list", "--json"))}
    removed = migrated("resource", "remove", f"{API}/")
    gone = migrated("resource", "remove", API)

    assert added.out == f"{API}  tools:read x:y\n"
    assert (again.status, again.err) == (1, "This API is registered already\n")
    assert client["policy"]["resources"] == [API]
    assert listed[API]["scopes"] == {"tools:read": "Read your tools", "x:y": "Z = z"}
    assert "http://localhost:8000/api/v1" in listed
    assert removed.status == 0
    assert (gone.status, gone.err) == (1, "There is no such API\n")


def test_somebody_gets_leave_to_register(migrated: Portico) -> None:
    made = migrated("client", "initial-token", "--name", "partner", "--uses", "3", "--hours", "1")

    assert re.fullmatch(r"pia_[A-Za-z0-9_-]{40,}\n", made.out)
    assert "not shown again" in made.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("client", "create", "Acme", "--kind", "toaster"), "kind: Input should be 'browser'"),
        (("client", "create", "Acme", "--kind", "browser"), "redirect_uris is missing"),
        (("client", "create", "Acme", "--kind", "machine", "--scope", "no:such"), "no:such is not offered"),
        (("client", "create", "Acme", "--metadata", "missing.json"), "No such file"),
        (("client", "show", "nobody"), "There is no such application"),
        (("client", "rotate", "nobody"), "There is no such application"),
        (("client", "initial-token", "--name", "x", "--hours", "9999"), "--hours"),
        (("resource", "add", "files.example"), "is not an absolute http or https URI"),
        (("resource", "add", API, "--scope", "files"), "what it means"),
        (("resource", "add", API, "--scope", "openid=Know you"), "belong to no API"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(portico: Portico, arguments: tuple[str, ...], told: str) -> None:
    portico("migrate")

    outcome = portico(*arguments)

    assert outcome.status != 0
    assert told in " ".join(outcome.err.split())
    assert "Traceback" not in outcome.err
