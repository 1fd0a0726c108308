"""The pages of organizations, under `/account/organizations`."""

from fastapi import APIRouter

from portico.organizations.pages.domains import router as domains_router
from portico.organizations.pages.invitations import router as invitations_router
from portico.organizations.pages.lists import router as lists_router
from portico.organizations.pages.members import router as members_router
from portico.organizations.pages.offers import router as offers_router
from portico.organizations.pages.roles import one as role_router, router as roles_router
from portico.organizations.pages.settings import router as settings_router
from portico.organizations.pages.teams import one as team_router, router as teams_router

routers: list[APIRouter] = [
    lists_router,
    members_router,
    roles_router,
    role_router,
    teams_router,
    team_router,
    settings_router,
    invitations_router,
    domains_router,
    offers_router,
]

__all__ = ["routers"]
