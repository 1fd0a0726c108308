"""What cannot be declared: slips are found when the application is put together, not by a client."""

from datetime import timedelta
from typing import Any

import pytest

from portico.resource_server import IntrospectionClient, protected_resource

GOOD: dict[str, Any] = {"scopes": {"notes:read": "Read"}}


@pytest.mark.bar("A6-6.4")
@pytest.mark.parametrize(
    "identifier",
    [
        "https://api.example.com/",
        "https://api.example.com/notes/",
        "https://API.example.com/notes",
        "HTTPS://api.example.com/notes",
        "https://api.example.com:443/notes",
        "https://api.example.com/notes#part",
        "https://api.example.com/notes?all",
        "https://api.example.com/a/../notes",
        "https://ada@api.example.com/notes",
        "http://api.example.com/notes",
        "ftp://api.example.com/notes",
        "/notes",
        "",
    ],
)
def test_identifier_that_is_none(identifier: str) -> None:
    with pytest.raises(ValueError, match=r"URL|lower case"):
        protected_resource(identifier, **GOOD)


@pytest.mark.parametrize(
    "identifier", ["https://api.example.com", "http://localhost:8000/mcp", "http://127.0.0.1:1234"]
)
def test_identifier_that_is_one(identifier: str) -> None:
    assert protected_resource(identifier, **GOOD).identifier == identifier


@pytest.mark.bar("A5-5.3", "A30-30.21")
@pytest.mark.parametrize("scope", ["offline_access", "two words", 'quo"ted', "ümlaut", ""])
def test_scope_that_is_none(scope: str) -> None:
    with pytest.raises(ValueError, match=r"scope|offline_access"):
        protected_resource("https://api.example.com", scopes={scope: "What it allows"})


def test_scope_that_was_not_declared() -> None:
    notes = protected_resource("https://api.example.com", **GOOD)

    with pytest.raises(ValueError, match="notes:wriet"):
        notes.requires("notes:wriet")
    with pytest.raises(ValueError, match="notes:wriet"):
        notes.protect(notes.router, ["notes:wriet"])
    with pytest.raises(ValueError, match="notes:wriet"):
        notes.protect(notes.router, tools={"write": ["notes:wriet"]})
    with pytest.raises(ValueError, match="notes:all"):
        protected_resource("https://api.example.com", **GOOD, implied={"notes:all": ["notes:read"]})


def test_introspection_without_a_server_to_ask() -> None:
    with pytest.raises(ValueError, match="authorization_server"):
        protected_resource(
            "https://api.example.com", **GOOD, introspection=IntrospectionClient("api", "secret")
        )


def test_answers_are_not_believed_for_long() -> None:
    with pytest.raises(ValueError, match="minute"):
        IntrospectionClient("api", "secret", believed_for=timedelta(minutes=2))


@pytest.mark.parametrize(
    "given", [{"allowed_hosts": ["https://x.example"]}, {"allowed_origins": ["x.example"]}]
)
def test_address_that_is_none(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no host or origin"):
        protected_resource("https://api.example.com", **GOOD, **given)
