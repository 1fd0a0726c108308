"""Mail alone: its feature, the templates of the others, a real SMTP server."""

from collections.abc import AsyncIterator, Sequence

import pytest

from portico.feature import Feature
from portico.mail.feature import mail_feature
from tests.mail.sink import Sink

SENDERS = ("users", "credentials", "sessions", "admin")


@pytest.fixture
def features() -> Sequence[Feature]:
    return [mail_feature(), *(Feature(name=name, templates=f"portico.{name}") for name in SENDERS)]


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    async with Sink() as sink:
        yield sink
