"""What services promise below the routes: who ends how, with nobody left behind."""

import pytest

from portico.organizations.errors import OnlyOwner
from portico.organizations.services import Members, Organizations
from portico.runtime import Runtime
from portico.testing.organizations import TestOrganizations
from portico.users.services import Users
from tests.sessions.people import add_person

pytestmark = pytest.mark.anyio


class TestClosingAnAccount:
    async def test_only_owner_of_others(self, runtime: Runtime, organizations: TestOrganizations) -> None:
        ada, bob = await add_person(runtime, "ada@example.com"), await add_person(runtime, "bob@example.com")
        acme = await organizations.make(ada, "Acme")
        await organizations.join(acme, bob)

        with pytest.raises(OnlyOwner) as refused:
            await Users(runtime, runtime.unit()).delete_account(ada.id)

        assert [each["name"] for each in refused.value.extensions["organizations"]] == ["Acme"]
        assert (await Members(runtime, runtime.unit()).get_member(acme.id, ada.id)).roles == ("owner",)

    async def test_alone_it_goes_with_him(self, runtime: Runtime, organizations: TestOrganizations) -> None:
        ada = await add_person(runtime, "ada@example.com")
        acme = await organizations.make(ada, "Acme")

        await Users(runtime, runtime.unit()).delete_account(ada.id)

        found = await Organizations(runtime, runtime.unit()).find_organization(acme.id)
        assert found is not None
        assert found.deleted_at is not None
