"""The yardstick: a bare FastAPI route with a response model, with the same answer as `GET /users/me`."""

from datetime import UTC, datetime
from uuid import UUID

from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI(openapi_url=None)
WHEN = datetime(2026, 1, 1, tzinfo=UTC)


class Person(BaseModel):
    """The shape of a person."""

    id: UUID
    email: str
    email_verified: bool
    username: str | None
    full_name: str | None
    locale: str
    timezone: str
    status: str
    roles: list[str]
    created_at: datetime
    updated_at: datetime
    version: int


@app.get("/bare")
async def bare() -> Person:
    """Answer at once."""
    return Person(
        id=UUID("01a1f79e-bfce-707b-83b5-319ca4cc46f5"),
        email="ada@example.com",
        email_verified=True,
        username="ada",
        full_name="Ada Lovelace",
        locale="en",
        timezone="UTC",
        status="active",
        roles=[],
        created_at=WHEN,
        updated_at=WHEN,
        version=1,
    )
