"""What the tests of the trail share."""

import pytest

from tests.audit.trail import from_somewhere


@pytest.fixture
async def somewhere() -> None:
    """Let every act come from somewhere."""
    from_somewhere()
