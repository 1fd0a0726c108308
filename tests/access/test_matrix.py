"""Route by role by credential, as a committed text: a change of who may do what is a line of a diff.

To accept a change: `portico authz matrix --write tests/access/matrix.txt`, then read the difference.
"""

from pathlib import Path

import pytest
from fastapi import FastAPI

from portico.access.matrix import HEADER, changes_between, matrix_text
from portico.access.roles import RoleBook
from portico.app import create_app, default_features
from portico.core.settings import Settings
from portico.feature import Feature
from portico.http.routing import route_table
from tests.access.conftest import PaperPermission, papers_feature

SNAPSHOT = Path(__file__).with_name("matrix.txt")


def table_of(tmp_path: Path, *features: Feature) -> str:
    settings = Settings(data_dir=tmp_path)
    app: FastAPI = create_app(settings, [*default_features(), *features])
    return matrix_text(route_table(app), RoleBook.of(app.state.runtime))


@pytest.mark.bar("CHECK-1", "ASVS-8.1.1", "ASVS-8.1.2")
def test_nobody_may_do_more_or_less_than_was_accepted(tmp_path: Path) -> None:
    assert changes_between(SNAPSHOT.read_text(encoding="utf-8"), table_of(tmp_path)) == []


def test_the_table_says_who_may_call_a_route_and_by_what(tmp_path: Path) -> None:
    lines = table_of(tmp_path, papers_feature()).splitlines()

    assert "GET /api/v1/own-papers  paper:self:list  person:ski" in lines
    assert "GET /api/v1/own-papers/burn  paper:self:burn  person:s" in lines
    assert "GET /api/v1/papers/sign  paper:paper:sign  owner:s superuser:s" in lines
    assert (
        "GET /api/v1/papers  paper:paper:read  printer:ski viewer:ski member:ski admin:ski owner:ski superuser:ski"
        in lines
    )
    assert "GET /api/v1/all-papers  platform:paper:count  auditor:ski superuser:ski" in lines
    assert "GET /.well-known/jwks.json  public" in lines
    assert any("paper:paper:read when signed in at most 0:10:00 ago" in line for line in lines)


def test_a_wider_role_a_new_route_and_an_opened_one_are_seen() -> None:
    before = f"""{HEADER}
GET /a  x:x:read  admin:s
GET /b  x:x:read  admin:ski
GET /c  x:x:read  admin:ski
GET /d  public
"""
    after = f"""{HEADER}
GET /a  x:x:read  member:s admin:sk
GET /b  public
GET /d  x:x:read  admin:ski
GET /e  public
"""

    assert changes_between(before, before) == []
    assert changes_between(before, after) == [
        "wider     GET /a  admin by k",
        "wider     GET /a  member by s",
        "wider     GET /b  x:x:read -> public",
        "gone      GET /c",
        "narrower  GET /d  public -> x:x:read",
        "new       GET /e  public",
    ]


def test_a_planted_widening_is_caught(tmp_path: Path) -> None:
    accepted = table_of(tmp_path, papers_feature())
    planted = Feature(name="planted", roles={"viewer": {PaperPermission.WRITE}})

    changes = changes_between(accepted, table_of(tmp_path, papers_feature(), planted))

    assert "wider     GET /api/v1/papers/write  viewer by s" in changes
    assert all("papers/write  viewer" in change for change in changes)
