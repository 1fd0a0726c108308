"""What stands in `PORTICO_DATABASE__URL` reaches the driver as the driver wants it."""

import pytest

from portico.core.settings import Settings
from portico.db.database import database_url


@pytest.mark.parametrize(
    ("given", "arguments"),
    [
        ("postgresql://u:p@h/d?sslmode=verify-full", {"ssl": "verify-full"}),
        ("postgresql://u:p@h/d?ssl=require", {"ssl": "require"}),
        ("postgresql://u:p@h/d", {}),
    ],
)
def test_tls_is_asked_for_by_the_name_that_everybody_writes(given: str, arguments: dict[str, str]) -> None:
    url = database_url(Settings(database={"url": given}))

    _, connect = url.get_dialect()().create_connect_args(url)
    assert {name: value for name, value in connect.items() if name in {"ssl", "sslmode"}} == arguments
