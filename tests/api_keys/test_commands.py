"""`portico api-keys …` and `portico service-accounts …`."""

import re

import pytest

from portico.api_keys.commands import _account_lines, _key_lines
from portico.runtime import Runtime
from tests.api_keys.conftest import House
from tests.cli.conftest import Portico, folder, portico

__all__ = ["folder", "portico"]

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_keys_and_service_accounts_are_listed_with_their_state(house: House, runtime: Runtime) -> None:
    ours = await house.organization(ada="owner")
    none = await _key_lines(runtime, None)
    nobody = await _account_lines(runtime, ours)
    made = await house.make("ada", name="build server")
    await house.make("ada", name="other")
    account = await house.by("ada", "POST", f"/organizations/{ours}/service-accounts", {"name": "robot"})

    found = await _key_lines(runtime, "build")

    assert none == ["There are no API keys."]
    assert nobody == ["There are no service accounts."]
    assert len(await _key_lines(runtime, None)) == 2
    (line,) = found
    assert line.startswith(f"{made['id']}  {made['key'][:8]}…  personal  active  ends ")
    assert made["key"] not in line
    assert await _account_lines(runtime, ours) == [f"{account.json()['id']}  enabled  robot  "]


def test_a_key_is_made_printed_and_revoked(portico: Portico) -> None:
    portico("migrate")
    portico("create-admin", "--email", "ada@example.org", "--password-stdin", stdin="an engine of figures")
    made = portico(
        "api-keys", "create", "--name", "cron", "--scope", "user:self:read", "--email", "ada@example.org"
    )
    listed = portico("api-keys", "list")
    key_id = listed.out.split()[0]
    revoked = portico("api-keys", "revoke", key_id)
    after = portico("api-keys", "list")

    assert made.status == 0, made.err
    assert re.fullmatch(r"pak_[A-Za-z0-9_-]{49}\n", made.out)
    assert made.out[:8] in listed.out
    assert revoked.status == 0
    assert "revoked" in after.out
