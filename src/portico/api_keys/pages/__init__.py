"""The pages of keys: one's own in the account, an organization's among its pages. All of it without a script.

A new key is shown in the answer to the form itself: nothing keeps it for a second page. Loading that answer again asks
for another key; nothing shows the first one again.
"""

from portico.api_keys.pages.account import router as account_router
from portico.api_keys.pages.organization import router as organization_router

routers = (account_router, organization_router)
"""All of them, for the declaration of the feature."""

__all__ = ["routers"]
