"""The routes of the admin API."""

from fastapi import APIRouter

from portico.admin.dependencies import NO_CACHE
from portico.admin.routes import impersonation, jobs, overview, people, registration_tokens

router = APIRouter(prefix="/admin", tags=["admin"], dependencies=[NO_CACHE])
router.include_router(people.router)
router.include_router(impersonation.router)
router.include_router(overview.router)
router.include_router(jobs.router)
router.include_router(registration_tokens.router)

__all__ = ["router"]
