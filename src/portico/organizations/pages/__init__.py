"""The pages of organizations, under `/account/organizations`."""

from fastapi import APIRouter

routers: list[APIRouter] = []

__all__ = ["routers"]
