"""`portico authz explain`: the same answer as the check gives, and every line of it."""

from pathlib import Path
from uuid import UUID

import pytest

from portico.access.services import explain
from portico.access.types import PlatformRole
from portico.core.ids import PrincipalId
from portico.http.access import Authorizer
from portico.http.policies import Verdict
from portico.runtime import Runtime
from tests.access.conftest import House, Paper, PaperPermission
from tests.cli.conftest import Portico, folder, portico

__all__ = ["folder", "portico"]

pytestmark = pytest.mark.anyio


async def test_it_agrees_with_the_check_for_everybody_and_everything(runtime: Runtime, house: House) -> None:
    owner = await house.principal("owner")
    ours = await house.tenant(owner)
    people = {role: await house.principal(role) for role in ("admin", "member", "viewer", "printer")}
    for role, person in people.items():
        await house.grant(ours, person.id, role)
    people |= {"owner": owner, "stranger": await house.principal("stranger")}
    authorizer: Authorizer = runtime.get(Authorizer)

    for person in people.values():
        for permission in PaperPermission:
            decided = await authorizer.decide(person, permission, ours)
            explained = await explain(runtime, person.id, permission, organization_id=ours)

            assert (explained.verdict, explained.is_allowed) == (decided, decided is Verdict.ALLOWED)
            assert explained.is_allowed or any(step.is_good is False for step in explained.steps)


async def test_it_says_which_part_of_a_policy_spoke(runtime: Runtime, house: House) -> None:
    owner, member = await house.principal("owner"), await house.principal("member")
    ours = await house.tenant(owner)
    await house.grant(ours, member.id, "member")

    mine = await explain(
        runtime, member.id, PaperPermission.DELETE, organization_id=ours, resource=Paper(member.id)
    )
    hers = await explain(
        runtime, member.id, PaperPermission.DELETE, organization_id=ours, resource=Paper(owner.id)
    )

    assert [(step.is_good, step.text.strip()) for step in mine.steps[-4:]] == [
        (False, "roles there: member"),
        (True, "policy: the role holds the permission or it is his own (author_id)"),
        (False, "policy: the role holds the permission"),
        (True, "policy: it is his own (author_id)"),
    ]
    assert (mine.verdict, hers.verdict) == (Verdict.ALLOWED, Verdict.NOT_HELD)


async def test_nobody_may_do_nothing(runtime: Runtime, house: House) -> None:
    owner = await house.principal("owner")
    root = await house.principal("root", roles=frozenset({PlatformRole.SUPERUSER.value}))
    ours = await house.tenant(owner)

    nowhere = await explain(runtime, owner.id, PaperPermission.READ)
    not_granted = await explain(runtime, root.id, PaperPermission.READ, organization_id=ours)
    gone = await explain(runtime, PrincipalId(UUID(int=7)), PaperPermission.READ)

    assert nowhere.verdict is Verdict.NO_ORGANIZATION
    assert not_granted.verdict is Verdict.OUTSIDER  # roles are read from the database, whatever a caller says
    assert gone.verdict is Verdict.NOT_HELD


def test_the_command_answers_by_text_and_status(portico: Portico, folder: Path) -> None:
    portico("migrate")
    portico("create-admin", "--email", "ada@example.com", "--password-stdin", stdin="an engine of figures")

    allowed = portico("authz", "explain", "ada@example.com", "platform:user:list")
    nowhere = portico("authz", "explain", "ada@example.com", "organization:member:read")
    nobody = portico("authz", "explain", "bob@example.com", "platform:user:list")
    nothing = portico("authz", "explain", "ada@example.com", "platform:user:fly")

    assert (allowed.status, allowed.out.splitlines()[-1]) == (0, "allowed")
    assert (nowhere.status, nowhere.out.splitlines()[-1]) == (1, "refused: no_organization")
    assert (nobody.status, "nobody called" in nobody.err) == (1, True)
    assert (nothing.status, "no feature declares" in nothing.err) == (1, True)


def test_the_matrix_is_written_compared_and_its_difference_told(portico: Portico, folder: Path) -> None:
    written = folder / "authz.txt"

    portico("authz", "matrix", "--write", str(written))
    same = portico("authz", "matrix", "--check", str(written))
    narrower = written.read_text(encoding="utf-8").replace("support:ski", "")
    written.write_text(narrower, encoding="utf-8")
    wider = portico("authz", "matrix", "--check", str(written))

    assert (same.status, same.out) == (0, "")
    assert wider.status == 1
    assert "wider     GET /api/v1/admin/users  support by s" in wider.out


def test_the_command_finds_the_thing_that_a_policy_speaks_of(portico: Portico, folder: Path) -> None:
    features = {"FEATURES": '["tests.access.conftest:papers_feature"]'}

    def told(*arguments: str) -> tuple[int, str]:
        outcome = portico(*arguments, **features)
        return outcome.status, (outcome.out or outcome.err).splitlines()[-1]

    portico("migrate")
    portico("create-admin", "--email", "ada@example.com", "--password-stdin", stdin="an engine of figures")
    portico("organizations", "create", "Acme", "ada@example.com", "--slug", "acme-inc")
    asked = ("authz", "explain", "ada@example.com", "paper:paper:delete")
    here = ("--organization", "acme-inc")

    assert told(*asked, f"paper:{UUID(int=7)}", *here) == (0, "allowed")
    assert told(*asked, "paper:x", *here) == (1, "there is no paper 'x'")
    assert told(*asked, "letter:x", *here) == (1, "no feature can find a 'letter'; known are paper")
    assert told(*asked, "--organization", "nobody-inc") == (1, "There is no such organization")
