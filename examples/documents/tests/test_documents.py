"""The service on both databases: each test runs twice, on SQLite and on PostgreSQL."""

from collections.abc import Sequence

import httpx2
import pytest

from documents.models import Document
from portico.composition import migrator_of
from portico.core.settings import Settings
from portico.feature import Feature
from portico.runtime import Runtime
from portico.testing.isolation import prove_isolation
from portico.testing.organizations import TestOrganization, TestOrganizations
from portico.testing.people import People, Person

pytestmark = pytest.mark.anyio

PLAN = {"title": "Plan", "text": "World domination"}


async def test_nothing_of_another_organization_is_reached(runtime: Runtime) -> None:
    await prove_isolation(runtime, Document, lambda: Document(title="one", text=""))


async def keep(
    client: httpx2.AsyncClient, organization: TestOrganization, person: Person, title: str = "Plan"
) -> str:
    """Add a document and return where it is."""
    wish = {"title": title, "text": "World domination"}
    answer = await client.post(f"{organization.path}/documents", json=wish, headers=person.headers)
    assert answer.status_code == 201, answer.text
    return f"{organization.path}/documents/{answer.json()['id']}"


async def test_members_read_what_members_wrote(
    client: httpx2.AsyncClient, people: People, organizations: TestOrganizations
) -> None:
    ada = await people.sign_up("ada@example.com")
    acme = await organizations.make(ada)
    bob = await organizations.join(acme, await people.sign_up("bob@example.com"), "viewer")
    plan = await keep(client, acme, ada)
    read = await client.get(plan, headers=bob.headers)
    refused = await client.post(f"{acme.path}/documents", json=PLAN, headers=bob.headers)

    assert (read.status_code, read.json()["author_id"]) == (200, str(ada.id))
    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")


async def test_outsiders_see_nothing_under_any_organization(
    client: httpx2.AsyncClient, people: People, organizations: TestOrganizations
) -> None:
    ada, eve = await people.sign_up("ada@example.com"), await people.sign_up("eve@example.com")
    acme, evil = await organizations.make(ada), await organizations.make(eve)
    plan = await keep(client, acme, ada)
    moved = plan.replace(str(acme.id), str(evil.id))
    answers = {
        path: await client.request(method, path, headers=eve.headers)
        for method, path in (
            ("GET", plan),
            ("GET", moved),
            ("DELETE", moved),
            ("GET", f"{acme.path}/documents"),
        )
    }
    own = await client.get(f"{evil.path}/documents", headers=eve.headers)

    assert {answer.status_code for answer in answers.values()} == {404}
    assert (own.json()["data"], own.json()["pagination"]["total"]) == ([], 0)
    assert (await client.get(plan, headers=ada.headers)).status_code == 200


async def test_cursor_walks_the_own_documents_only(
    client: httpx2.AsyncClient, people: People, organizations: TestOrganizations
) -> None:
    ada = await people.sign_up("ada@example.com")
    acme, other = await organizations.make(ada), await organizations.make(ada)
    for number in range(5):
        await keep(client, acme, ada, f"{number}")
        await keep(client, other, ada, "other")
    titles, cursor = [], ""
    while True:
        path = f"{acme.path}/documents?page_size=2" + (f"&cursor={cursor}" if cursor else "")
        page = (await client.get(path, headers=ada.headers)).json()
        titles += [document["title"] for document in page["data"]]
        cursor = page["pagination"]["next_cursor"]
        if not cursor:
            break

    assert titles == ["0", "1", "2", "3", "4"]


async def test_authors_delete_their_own_and_admins_any(
    client: httpx2.AsyncClient, people: People, organizations: TestOrganizations
) -> None:
    ada = await people.sign_up("ada@example.com")
    acme = await organizations.make(ada)
    bob = await organizations.join(acme, await people.sign_up("bob@example.com"), "member")
    hers, his, second = (
        await keep(client, acme, ada),
        await keep(client, acme, bob),
        await keep(client, acme, bob),
    )
    refused = await client.delete(hers, headers=bob.headers)
    own = await client.delete(his, headers=bob.headers)
    any_ = await client.delete(second, headers=ada.headers)

    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
    assert (own.status_code, any_.status_code) == (204, 204)


async def test_repeated_request_keeps_one_document(
    client: httpx2.AsyncClient, people: People, organizations: TestOrganizations
) -> None:
    ada = await people.sign_up()
    acme = await organizations.make(ada)
    headers = {**ada.headers, "Idempotency-Key": "4f8d2c1e"}
    first = await client.post(f"{acme.path}/documents", json=PLAN, headers=headers)
    second = await client.post(f"{acme.path}/documents", json=PLAN, headers=headers)

    assert second.json() == first.json()
    assert len((await client.get(f"{acme.path}/documents", headers=ada.headers)).json()["data"]) == 1


async def test_migrations_make_what_the_models_say(settings: Settings, features: Sequence[Feature]) -> None:
    assert await migrator_of(settings, features).drift() == []
