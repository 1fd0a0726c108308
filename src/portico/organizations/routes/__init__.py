"""The API of organizations: `router` is mounted under `/api/v1`."""

from fastapi import APIRouter

router = APIRouter()

__all__ = ["router"]
