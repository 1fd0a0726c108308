"""Every SQL statement of organizations."""

from portico.organizations.repositories.memberships import MembershipRepository
from portico.organizations.repositories.organizations import OrganizationRepository, facts_of
from portico.organizations.repositories.teams import TeamRepository

__all__ = ["MembershipRepository", "OrganizationRepository", "TeamRepository", "facts_of"]
