"""Mail as files: whole or not there, and read back as it was written."""

from datetime import timedelta
from pathlib import Path

import pytest

from portico.mail.captured import read_folder
from portico.mail.transports import TransportDown
from portico.mail.transports.folder import FolderTransport
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from portico.testing.mail import CapturedMails, capture_mail, flush_mail
from tests.mail.acts import RESET, write_mail
from tests.mail.test_messages import ROW, build

pytestmark = pytest.mark.anyio


async def test_second_attempt_replaces_the_first(tmp_path: Path) -> None:
    transport = FolderTransport(tmp_path / "mail")

    await transport.send(build())
    await transport.send(build())

    [path] = (tmp_path / "mail").iterdir()
    assert path.name == f"{ROW}.eml"
    assert path.read_bytes() == build().content
    assert path.stat().st_mode & 0o077 == 0


async def test_folder_that_cannot_be_made_is_a_fault_of_the_transport(tmp_path: Path) -> None:
    (tmp_path / "mail").touch()
    transport = FolderTransport(tmp_path / "mail" / "deeper")

    with pytest.raises(TransportDown):
        await transport.send(build())
    with pytest.raises(TransportDown):
        await transport.check()


async def test_mail_is_read_back(runtime: Runtime, clock: FrozenClock) -> None:
    await write_mail(runtime, name="Jürgen")
    clock.advance(timedelta(seconds=1))
    await write_mail(runtime, "bob@example.com", template="already_registered")
    await flush_mail(runtime)
    folder = runtime.settings.data_dir / "mail"
    (folder / "notes.eml").write_text("not ours")

    newest, oldest = read_folder(folder)

    assert newest.to == "bob@example.com"
    assert newest.code is None
    assert oldest.to == "ada@example.com"
    assert oldest.subject == "Choose a new password for Portico"
    assert oldest.link == RESET
    assert oldest.code == "731905"
    assert "Jürgen" in oldest.text
    assert "Jürgen" in oldest.html
    assert oldest.created_at == clock.now() - timedelta(seconds=1)


async def test_kit_reads_a_folder_of_another_process(runtime: Runtime) -> None:
    mails = CapturedMails(runtime.settings.data_dir / "mail")
    await write_mail(runtime)
    await flush_mail(runtime)

    [mail] = await mails.wait_for(to="ADA@example.com")

    assert mails.last(to="ada@example.com") == mail == mails[0]
    assert len(mails) == 1
    mails.clear()
    assert list(mails) == []


async def test_kit_catches_mail_as_soon_as_it_is_committed(runtime: Runtime) -> None:
    mails = capture_mail(runtime)

    await write_mail(runtime)
    await write_mail(runtime, "bob@example.com")

    assert [mail.to for mail in mails] == ["ada@example.com", "bob@example.com"]
    assert mails.last().to == "bob@example.com"
    assert mails.to("ada@example.com")[0].link == RESET
    with pytest.raises(LookupError):
        mails.last(to="nobody@example.com")
    with pytest.raises(TimeoutError):
        await mails.wait_for(to="nobody@example.com", timeout=0.05)
