"""The API of organizations: `router` is mounted under `/api/v1`."""

from fastapi import APIRouter

from portico.organizations.routes import admin, domains, invitations, members, organizations, teams

router = APIRouter()
router.include_router(organizations.router)
router.include_router(members.router)
router.include_router(teams.router)
router.include_router(admin.router)
router.include_router(invitations.router)
router.include_router(domains.router)

__all__ = ["router"]
