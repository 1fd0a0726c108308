"""An act and its entry are one: committed together, undone together."""

from uuid import UUID

import pytest
from sqlalchemy import event, func, select

from portico.audit.models import AuditEntry, AuditPersonal
from portico.audit.services import record
from portico.audit.types import Outcome
from portico.core.context import RequestContext, set_current_request
from portico.core.ids import PrincipalId, new_id
from portico.http.authentication import CredentialKind, Principal, PrincipalKind
from portico.runtime import Runtime
from tests.audit.trail import ADA, BOB, NORTH, act, chain, verdict
from tests.sessions.people import rows_of

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("somewhere")]


async def actions(runtime: Runtime) -> list[str]:
    async with runtime.reads() as session:
        return list(await session.scalars(select(AuditEntry.action).order_by(AuditEntry.seq)))


class TestWithTheAct:
    async def test_nothing_is_written_without_the_commit(self, runtime: Runtime) -> None:
        with pytest.raises(ZeroDivisionError):
            async with runtime.unit() as unit:
                record(runtime, unit, "test.undone", actor=ADA)
                raise ZeroDivisionError

        assert await actions(runtime) == []
        assert await rows_of(runtime, AuditPersonal) == []

    async def test_a_closed_unit_takes_no_entry(self, runtime: Runtime) -> None:
        with pytest.raises(RuntimeError, match="inside"):
            record(runtime, runtime.unit(), "test.lost")

    async def test_the_entries_of_an_undone_savepoint_are_gone_and_others_stay(
        self, runtime: Runtime
    ) -> None:
        async with runtime.unit() as unit:
            record(runtime, unit, "test.first")
            with pytest.raises(ZeroDivisionError):
                async with unit.savepoint():
                    record(runtime, unit, "test.undone")
                    raise ZeroDivisionError
            async with unit.savepoint():
                record(runtime, unit, "test.second")
            record(runtime, unit, "test.third")

        assert await actions(runtime) == ["test.first", "test.second", "test.third"]

    async def test_an_entry_made_right_before_the_commit_is_written(self, runtime: Runtime) -> None:
        async with runtime.unit() as unit:
            record(runtime, unit, "test.first")

            async def late() -> None:
                record(runtime, unit, "test.late")

            unit.before_commit(late)

        assert await actions(runtime) == ["test.first", "test.late"]

    async def test_all_entries_of_an_act_are_one_statement_on_postgresql(self, runtime: Runtime) -> None:
        statements: list[str] = []
        engine = runtime.database.writer.sync_engine
        event.listen(
            engine, "before_cursor_execute", lambda *call: statements.append(call[2].split(maxsplit=1)[0])
        )
        async with runtime.unit() as unit:
            for _ in range(3):
                record(runtime, unit, "test.acted")

        assert statements == (["BEGIN", "INSERT", "INSERT"] if runtime.database.is_sqlite else ["WITH"])


class TestContent:
    @pytest.mark.bar("ASVS-16.2.1", "ASVS-16.2.4", "ASVS-16.2.2")
    async def test_an_entry_says_who_did_what_on_what_when_and_from_where(self, runtime: Runtime) -> None:
        principal = Principal(
            id=PrincipalId(ADA),
            kind=PrincipalKind.USER,
            credential=CredentialKind.API_KEY,
            credential_id=new_id(),
            actor_id=PrincipalId(BOB),
        )
        async with runtime.unit() as unit:
            record(
                runtime,
                unit,
                "test.acted",
                outcome=Outcome.REFUSED,
                actor=principal,
                subject=("user", ADA),
                organization_id=NORTH,
                reason="because",
                details={"count": 3},
                changes={"role": ("member", "admin"), "password": ("old", "new")},
                personal={"email": "ada@example.org"},
            )

        [entry] = await rows_of(runtime, AuditEntry)
        [personal] = await rows_of(runtime, AuditPersonal)
        assert (entry.actor_id, entry.on_behalf_of_id, entry.credential_id) == (
            BOB,
            ADA,
            principal.credential_id,
        )
        assert (entry.organization_id, entry.subject_id, entry.request_id) == (NORTH, ADA, "req-1")
        assert entry.at == runtime.clock.now()
        assert entry.changes == {"role": ["member", "admin"], "password": ["***", "***"]}
        assert personal.fields == {
            "client_address": "203.0.113.7",
            "user_agent": "A browser",
            "email": "ada@example.org",
        }

    async def test_without_a_request_there_is_nothing_personal(self, runtime: Runtime) -> None:
        set_current_request(RequestContext(request_id="-"))
        async with runtime.unit() as unit:
            record(runtime, unit, "test.acted")

        [entry] = await rows_of(runtime, AuditEntry)
        assert (entry.commitment, entry.request_id, await rows_of(runtime, AuditPersonal)) == (None, None, [])

    @pytest.mark.bar("ASVS-16.4.1")
    @pytest.mark.parametrize("text", ["a\r\nb", "\x1b[31mred", "\u2028", "\ud800", "=1+1", "\\", '"', "é😀"])
    async def test_whatever_is_written_comes_back_the_same_and_verifies(
        self, runtime: Runtime, text: str
    ) -> None:
        async with runtime.unit() as unit:
            record(
                runtime,
                unit,
                "test.acted",
                reason=None if text == "\ud800" else text,
                details={"text": text, "n": 1e300, "big": 2**70, "list": [None, True]},
                personal={"name": text},
            )
        await chain(runtime)

        [entry] = await rows_of(runtime, AuditEntry)
        assert entry.details == {"text": text, "n": 1e300, "big": 2**70, "list": [None, True]}
        assert (await verdict(runtime)).faults == []


async def test_erasing_a_person_takes_the_fields_and_leaves_the_chain(runtime: Runtime) -> None:
    from portico.audit.services.erasing import erase_person
    from portico.core.ids import UserId

    await act(runtime, 2, actor=ADA, subject=("user", ADA))
    await act(runtime, 1, actor=BOB, subject=("user", ADA), personal={"email": "ada@example.org"})
    await act(runtime, 1, actor=BOB, subject=("user", BOB))
    await chain(runtime)
    async with runtime.unit() as unit:
        await erase_person(UserId(PrincipalId(ADA)), unit, runtime)
    await chain(runtime)

    found = await verdict(runtime)
    async with runtime.reads() as session:
        known = await session.scalar(select(func.count()).select_from(AuditPersonal))
        last = (await session.scalars(select(AuditEntry).order_by(AuditEntry.seq.desc()))).first()
    assert (found.is_sound, found.erased, known) == (True, 3, 2)
    assert last is not None
    assert (last.action, last.details) == ("audit.person_erased", {"entries": 3})
    assert isinstance(last.subject_id, UUID)
