"""The pages of organizations, under `/account/organizations`."""

from fastapi import APIRouter

from portico.organizations.pages.invitations import router as invitations_router

routers: list[APIRouter] = [invitations_router]

__all__ = ["routers"]
