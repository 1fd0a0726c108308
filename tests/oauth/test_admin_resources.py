"""APIs that tokens can be asked for, as administrators register them: `/admin/oauth/resources`."""

from itertools import count
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from portico.runtime import Runtime
from tests.integration.ground import TRACES, nothing_written
from tests.oauth.kit import House, TestClient, claims_of
from tests.oauth.offices import RESOURCES, Office, developed, fields_of

pytestmark = pytest.mark.anyio

NUMBERS = count(1)
SCOPES = {"files:read": "Read your files", "files:write": "Change your files"}


@pytest.fixture
def house(lasting_house: House) -> House:
    return lasting_house


@pytest.fixture
async def office(house: House) -> Office:
    return await Office.of(house)


@pytest.fixture
def runtime(house: House) -> Runtime:
    return house.runtime


@pytest.fixture
async def machine(office: Office) -> TestClient:
    return developed(await office.make(kind="machine"))


def new_url() -> str:
    return f"https://files{next(NUMBERS)}.example/api"


async def added(office: Office, **wish: Any) -> dict[str, Any]:
    """Register an API; return the answer."""
    answer = await office.ask("POST", RESOURCES, {"identifier": new_url(), "scopes": SCOPES, **wish})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def token_for(house: House, machine: TestClient, resource: str, **more: Any) -> httpx2.Response:
    """Have a machine ask for a token."""
    return await house.token(machine, grant_type="client_credentials", resource=resource, **more)


class TestRegistering:
    @pytest.mark.bar("A6-6.3", "A6-6.4")
    async def test_tokens_can_be_asked_for_at_once_and_are_for_it_as_it_is_written(
        self, house: House, office: Office, machine: TestClient
    ) -> None:
        assert (await token_for(house, machine, new_url())).json()["error"] == "invalid_target"
        made = await added(office, identifier=f"{new_url()}/", access_token_seconds=120)

        written_otherwise = made["identifier"].removesuffix("/").replace("https", "HTTPS")
        token = (await token_for(house, machine, written_otherwise, scope="files:read")).json()

        claims = claims_of(token["access_token"])
        assert claims["aud"] == made["identifier"]
        assert claims["scope"] == "files:read"
        assert token["expires_in"] == 120

    @pytest.mark.bar("A1-1.15")
    async def test_what_a_request_without_scope_gets(
        self, house: House, office: Office, machine: TestClient
    ) -> None:
        one = await added(office, default_scope="files:read")
        all_ = await added(office)

        scopes = [
            (await token_for(house, machine, each["identifier"])).json()["scope"] for each in (one, all_)
        ]

        assert scopes == ["files:read", "files:read files:write"]

    async def test_one_that_wants_bound_tokens_gets_no_others(
        self, house: House, office: Office, machine: TestClient
    ) -> None:
        made = await added(office, requires_dpop=True)

        answer = await token_for(house, machine, made["identifier"])

        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_dpop_proof")

    async def test_one_that_wants_opaque_tokens_gets_them(
        self, house: House, office: Office, machine: TestClient
    ) -> None:
        made = await added(office, token_format="opaque", introspected_by=[machine.client_id])

        answer = (await token_for(house, machine, made["identifier"])).json()

        assert answer["access_token"].startswith("pot_")
        assert made["introspected_by"] == [machine.client_id]

    async def test_two_ways_of_writing_are_one_api(self, office: Office) -> None:
        made = await added(office)
        taken = [
            made["identifier"],
            f"{made['identifier']}/",
            made["identifier"].replace("https://files", "HTTPS://FILES"),
            "https://api.example.com/mcp/",
            "http://localhost:8000/api/v1",
        ]

        answers = [await office.ask("POST", RESOURCES, {"identifier": each}) for each in taken]

        assert {(each.status_code, each.json()["code"]) for each in answers} == {(409, "resource_taken")}

    @pytest.mark.parametrize(
        ("wish", "field"),
        [
            ({"identifier": "http://localhost:8000/"}, "identifier"),
            ({"identifier": "files.example"}, "identifier"),
            ({"identifier": "urn:files"}, "identifier"),
            ({"identifier": "https://files.example/#part"}, "identifier"),
            ({"identifier": "https://a@files.example/"}, "identifier"),
            ({"scopes": {"two words": "Odd"}}, "scopes"),
            ({"scopes": {'quo"te': "Odd"}}, "scopes"),
            ({"scopes": {"openid": "Know you"}}, "scopes"),
            ({"scopes": SCOPES, "default_scope": "files:read files:eat"}, "default_scope"),
            ({"introspected_by": ["nobody"]}, "introspected_by"),
        ],
    )
    async def test_what_cannot_be_is_refused_and_named(
        self, office: Office, runtime: Runtime, wish: dict[str, Any], field: str
    ) -> None:
        async with nothing_written(runtime):
            answer = await office.ask("POST", RESOURCES, {"identifier": new_url(), **wish})

        assert fields_of(answer) == (400, "resource_invalid", {field})

    @pytest.mark.parametrize(
        ("wish", "field"),
        [
            ({"identifier": "x" * 501}, "identifier"),
            ({"scopes": ["files:read"]}, "scopes"),
            ({"scopes": {"files:read": ""}}, "scopes.files:read"),
            ({"scopes": {"files:read": "two\nlines"}}, "scopes.files:read"),
            ({"scopes": {f"s{n}": "Many" for n in range(201)}}, "scopes"),
            ({"token_format": "paper"}, "token_format"),
            ({"access_token_seconds": 1}, "access_token_seconds"),
            ({"requires_dpop": "yes"}, "requires_dpop"),
            ({"id": str(uuid4())}, "id"),
        ],
    )
    async def test_what_is_malformed_is_refused_and_named(
        self, office: Office, wish: dict[str, Any], field: str
    ) -> None:
        answer = await office.ask("POST", RESOURCES, {"identifier": new_url(), **wish})

        assert fields_of(answer) == (422, "invalid", {field})

    async def test_asked_twice_with_one_key_there_is_one(self, office: Office) -> None:
        wish, key = {"identifier": new_url()}, {"Idempotency_Key": str(uuid4())}

        first = await office.ask("POST", RESOURCES, wish, **key)
        second = await office.ask("POST", RESOURCES, wish, **key)

        assert first.status_code == second.status_code == 201
        assert first.json() == second.json()


class TestChanging:
    async def test_what_is_named_changes_at_once_and_all_else_stays(
        self, house: House, office: Office, machine: TestClient
    ) -> None:
        made = await added(office, name="Files")
        await token_for(house, machine, made["identifier"], scope="files:read")
        scopes = {"files:list": "List your files"}

        changed = await office.ask("PATCH", f"{RESOURCES}/{made['id']}", {"scopes": scopes})
        old = await token_for(house, machine, made["identifier"], scope="files:read")
        new = await token_for(house, machine, made["identifier"], scope="files:list")

        assert changed.json()["scopes"] == scopes
        assert changed.json()["name"] == "Files"
        assert old.json()["error"] == "invalid_scope"
        assert new.json()["scope"] == "files:list"

    async def test_versions_keep_two_who_change_at_once_apart(self, office: Office) -> None:
        path = f"{RESOURCES}/{(await added(office))['id']}"
        tag = (await office.ask("GET", path)).headers["etag"]
        same = await office.ask("GET", path, If_None_Match=tag)
        first = await office.ask("PATCH", path, {"name": "One"}, If_Match=tag)
        second = await office.ask("PATCH", path, {"name": "Two"}, If_Match=tag)
        deleted = await office.ask("DELETE", path, If_Match=tag)

        assert same.status_code == 304
        assert first.json()["name"] == "One"
        assert second.status_code == deleted.status_code == 412

    @pytest.mark.parametrize(
        ("wish", "expected"),
        [
            ({"identifier": "https://other.example/"}, (422, "invalid", {"identifier"})),
            ({"scopes": {"files:list": "List"}}, (400, "resource_invalid", {"default_scope"})),
            ({"default_scope": "files:eat"}, (400, "resource_invalid", {"default_scope"})),
            ({"introspected_by": ["nobody"]}, (400, "resource_invalid", {"introspected_by"})),
        ],
    )
    async def test_a_change_that_may_not_be_changes_nothing(
        self, office: Office, runtime: Runtime, wish: dict[str, Any], expected: tuple[int, str, set[str]]
    ) -> None:
        made = await added(office, default_scope="files:read")
        async with nothing_written(runtime):
            answer = await office.ask("PATCH", f"{RESOURCES}/{made['id']}", wish)

        assert fields_of(answer) == expected


class TestSeeingAndRemoving:
    async def test_they_are_listed_the_newest_first(self, office: Office) -> None:
        first, second = await added(office, name="Files of Acme"), await added(office)

        async def found(query: str) -> list[str]:
            answer = await office.ask("GET", f"{RESOURCES}?{query}")
            return [each["id"] for each in answer.json()["data"]]

        page = (await office.ask("GET", f"{RESOURCES}?page_size=1")).json()
        cursor = page["pagination"]["next_cursor"]

        assert (await found(""))[:2] == [second["id"], first["id"]]
        assert await found("q=files%20of") == [first["id"]]
        assert await found(f"q={second['identifier']}") == [second["id"]]
        assert await found(f"page_size=1&cursor={cursor}") == [first["id"]]

    @pytest.mark.bar("A6-6.1")
    async def test_removed_nobody_gets_tokens_for_it_any_more(
        self, house: House, office: Office, machine: TestClient
    ) -> None:
        made = await added(office)
        before = await token_for(house, machine, made["identifier"])

        removed = await office.ask("DELETE", f"{RESOURCES}/{made['id']}")
        after = await token_for(house, machine, made["identifier"])

        assert before.status_code == 200
        assert removed.status_code == 204
        assert (after.status_code, after.json()["error"]) == (400, "invalid_target")
        assert (await office.ask("GET", f"{RESOURCES}/{made['id']}")).status_code == 404

    async def test_what_is_not_there_is_not_found(self, office: Office) -> None:
        path = f"{RESOURCES}/{uuid4()}"
        answers = [
            await office.ask("GET", path),
            await office.ask("PATCH", path, {"name": "x"}),
            await office.ask("DELETE", path),
        ]

        assert {(each.status_code, each.json()["code"]) for each in answers} == {(404, "resource_not_found")}

    async def test_only_administrators_of_the_deployment_look(self, office: Office, runtime: Runtime) -> None:
        path = f"{RESOURCES}/{(await added(office))['id']}"
        async with nothing_written(runtime, but=TRACES):
            answers = [
                await office.by("ada", "GET", RESOURCES),
                await office.by("ada", "POST", RESOURCES, {"identifier": new_url()}),
                await office.by("ada", "GET", path),
                await office.by("ada", "PATCH", path, {"name": "x"}),
                await office.by("ada", "DELETE", path),
            ]

        assert {each.status_code for each in answers} == {403}
