"""What the tests of the trail share."""

import pytest

from tests.audit.trail import from_somewhere


@pytest.fixture(autouse=True)
async def _somewhere() -> None:
    """Let every act come from somewhere."""
    from_somewhere()
