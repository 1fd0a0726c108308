"""An organization's own clients: made by its administrators, within their bounds, seen by nobody else."""

from typing import Any
from uuid import uuid4

import httpx2
import pytest

from portico.core.ids import OrganizationId
from portico.runtime import Runtime
from tests.integration.ground import TRACES, nothing_written
from tests.oauth.kit import House, claims_of
from tests.oauth.offices import CALLBACKS, CLIENTS, Office, developed, fields_of, own

pytestmark = pytest.mark.anyio

LASTING_OAUTH = {"max_organization_clients": 3}
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
API = "http://localhost:8000/api/v1"


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
async def ours(office: Office) -> OrganizationId:
    return await office.organization(ada="admin", grace="owner", bob="member")


async def test_its_administrators_make_see_change_and_delete_them(
    office: Office, ours: OrganizationId
) -> None:
    made = await office.make(own(ours), "ada", kind="server", redirect_uris=CALLBACKS)
    path = f"{own(ours)}/{made['key']}"

    seen = await office.by("ada", "GET", path)
    listed = (await office.by("ada", "GET", own(ours))).json()
    tag = {"If-Match": seen.headers["etag"]}
    changed = await office.by("ada", "PATCH", path, {"client_name": "Other"}, tag)
    stale = await office.by("ada", "PATCH", path, {"client_name": "Third"}, tag)
    off = await office.by("ada", "POST", f"{path}/disable")
    on = await office.by("ada", "POST", f"{path}/enable")
    deleted = await office.by("ada", "DELETE", path)

    assert (made["source"], made["organization_id"]) == ("organization", str(ours))
    assert made["policy"]["requires_pkce"]
    assert not made["policy"]["is_trusted"]
    assert [each["key"] for each in listed["data"]] == [made["key"]]
    assert changed.json()["client_name"] == "Other"
    assert stale.status_code == 412
    assert off.json()["disabled_at"] is not None
    assert on.json()["disabled_at"] is None
    assert deleted.status_code == 204
    assert (await office.by("ada", "GET", path)).status_code == 404


async def test_people_are_asked_before_one_is_let_in(
    house: House, office: Office, ours: OrganizationId
) -> None:
    made = await office.make(own(ours), "ada", kind="server", redirect_uris=CALLBACKS)

    asked = await house.ask(developed(made), "ada")

    assert asked.headers["location"].startswith("/oauth/consent")


async def test_secrets_follow_one_another(office: Office, house: House, ours: OrganizationId) -> None:
    made = await office.make(own(ours), "ada", kind="machine", scope="tools:read")
    path = f"{own(ours)}/{made['key']}"
    rotated = (await office.by("ada", "POST", f"{path}/secrets", {"overlap_hours": 0})).json()

    async def token(secret: str) -> httpx2.Response:
        client = developed(made, secret)
        return await house.token(client, grant_type="client_credentials", scope="tools:read")

    old, new = await token(made["client_secret"]), await token(rotated["client_secret"])
    secret_id = (await office.by("ada", "GET", path)).json()["secrets"][0]["id"]
    removed = await office.by("ada", "DELETE", f"{path}/secrets/{secret_id}")

    assert (old.status_code, new.status_code) == (401, 200)
    assert claims_of(new.json()["access_token"])["org_id"] == str(ours)
    assert removed.status_code == 204
    assert (await token(rotated["client_secret"])).status_code == 401


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        ({"policy": {"is_trusted": True}}, (422, "invalid", {"policy.is_trusted"})),
        ({"policy": {"requires_pkce": False}}, (422, "invalid", {"policy.requires_pkce"})),
        ({"policy": {"exchanges_to": [API]}}, (422, "invalid", {"policy.exchanges_to"})),
        ({"organization_id": str(uuid4())}, (422, "invalid", {"organization_id"})),
        ({"grant_types": [EXCHANGE]}, (400, "client_metadata_invalid", {"grant_types"})),
        ({"grant_types": ["client_credentials", BEARER]}, (400, "client_metadata_invalid", {"grant_types"})),
        ({"scope": "platform:user:read"}, (400, "client_metadata_invalid", {"scope"})),
        ({"scope": "user:self:read no:such:scope"}, (400, "client_metadata_invalid", {"scope"})),
        ({"redirect_uris": ["http://app.example/"]}, (400, "client_metadata_invalid", {"redirect_uris"})),
    ],
)
async def test_it_grants_itself_nothing_that_it_may_not_have(
    office: Office,
    ours: OrganizationId,
    runtime: Runtime,
    wish: dict[str, Any],
    expected: tuple[int, str, set[str]],
) -> None:
    made = await office.make(own(ours), "ada", kind="machine")
    async with nothing_written(runtime, but=TRACES):
        answers = [
            await office.by("ada", "POST", own(ours), {"kind": "machine", **wish}),
            await office.by("ada", "PATCH", f"{own(ours)}/{made['key']}", wish),
        ]

    assert [fields_of(each) for each in answers] == [expected, expected]


async def test_nor_does_an_administrator_of_the_deployment_trust_it(
    office: Office, ours: OrganizationId
) -> None:
    made = await office.make(own(ours), "ada", kind="server", redirect_uris=CALLBACKS)

    for policy in ({"is_trusted": True}, {"requires_pkce": False}):
        answer = await office.ask("PATCH", f"{CLIENTS}/{made['key']}", {"policy": policy})

        assert fields_of(answer) == (400, "client_metadata_invalid", {f"policy.{next(iter(policy))}"})


async def test_it_never_speaks_for_the_platform_even_without_a_list_of_scopes(
    house: House, office: Office, ours: OrganizationId
) -> None:
    made = await office.make(own(ours), "ada", kind="machine")

    asked = await house.token(
        developed(made),
        grant_type="client_credentials",
        resource=API,
        scope="user:self:read platform:user:read",
    )

    assert asked.json().get("scope") == "user:self:read"


async def test_it_is_not_called_what_we_are(house: House, office: Office, ours: OrganizationId) -> None:
    name = house.runtime.settings.name

    made = await office.make(own(ours), "ada", kind="machine", client_name=name)

    assert made["client_name"] is None


@pytest.mark.bar("CHECK-2", "ASVS-8.2.2")
async def test_another_organizations_clients_are_not_there(
    office: Office, ours: OrganizationId, runtime: Runtime
) -> None:
    theirs = await office.organization(bob="owner")
    made = await office.make(own(theirs), "bob", kind="machine")
    of_platform = await office.make(kind="machine")
    async with nothing_written(runtime, but=TRACES):
        answers = []
        for key in (made["key"], of_platform["key"]):
            path = f"{own(ours)}/{key}"
            answers += [
                await office.by("ada", "GET", path),
                await office.by("ada", "PATCH", path, {"client_name": "x"}),
                await office.by("ada", "DELETE", path),
                await office.by("ada", "POST", f"{path}/disable"),
                await office.by("ada", "POST", f"{path}/enable"),
                await office.by("ada", "POST", f"{path}/secrets"),
                await office.by("ada", "DELETE", f"{path}/secrets/{made['secrets'][0]['id']}"),
            ]
        as_outsider = [
            await office.by("ada", "GET", own(theirs)),
            await office.by("ada", "POST", own(theirs), {"kind": "machine"}),
        ]

    assert {(each.status_code, each.json()["code"]) for each in answers} == {(404, "client_not_found")}
    assert {each.json()["code"] for each in as_outsider} == {"organization_not_found"}


async def test_members_without_the_right_are_refused(
    office: Office, ours: OrganizationId, runtime: Runtime
) -> None:
    made = await office.make(own(ours), "ada", kind="machine")
    path = f"{own(ours)}/{made['key']}"
    async with nothing_written(runtime, but=TRACES):
        answers = [
            await office.by("bob", "GET", own(ours)),
            await office.by("bob", "POST", own(ours), {"kind": "machine"}),
            await office.by("bob", "GET", path),
            await office.by("bob", "PATCH", path, {"client_name": "x"}),
            await office.by("bob", "POST", f"{path}/secrets"),
            await office.by("bob", "DELETE", path),
        ]

    assert {(each.status_code, each.json()["code"]) for each in answers} == {(403, "permission_denied")}


async def test_it_has_only_so_many(office: Office, ours: OrganizationId) -> None:
    for _ in range(3):
        await office.make(own(ours), "ada", kind="machine")

    answer = await office.by("ada", "POST", own(ours), {"kind": "machine"})

    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_clients")


@pytest.mark.bar("CHECK-2")
async def test_a_cursor_is_good_in_its_own_organization_only(office: Office, ours: OrganizationId) -> None:
    theirs = await office.organization(ada="owner")
    for _ in range(2):
        await office.make(own(ours), "ada", kind="machine")
    page = (await office.by("ada", "GET", f"{own(ours)}?page_size=1")).json()
    cursor = page["pagination"]["next_cursor"]

    here = await office.by("ada", "GET", f"{own(ours)}?page_size=1&cursor={cursor}")
    there = await office.by("ada", "GET", f"{own(theirs)}?page_size=1&cursor={cursor}")

    assert here.status_code == 200
    assert (there.status_code, there.json()["code"]) == (400, "cursor_invalid")
