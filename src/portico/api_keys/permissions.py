"""Rights over API keys and service accounts. Those over an organization's keys are declared by organizations."""

from collections.abc import Set as AbstractSet

from portico.core.permissions import Permission


class ApiKeyPermission(Permission):
    """What may be done with keys: one's own, an organization's service accounts, the deployment's."""

    LIST_OWN = "api_key:self:list"
    CREATE_OWN = "api_key:self:create"
    UPDATE_OWN = "api_key:self:update"
    ROTATE_OWN = "api_key:self:rotate"
    REVOKE_OWN = "api_key:self:revoke"

    SERVICE_ACCOUNT_READ = "organization:service_account:read"
    SERVICE_ACCOUNT_MANAGE = "organization:service_account:manage"

    PLATFORM_READ = "platform:api_key:read"
    PLATFORM_REVOKE = "platform:api_key:revoke"
    PLATFORM_PLANT = "platform:api_key:plant"

    @classmethod
    def interactive(cls) -> AbstractSet[Permission]:
        """Return what no key may do, so that a stolen one can neither multiply nor outlive itself."""
        return frozenset(
            {
                cls.CREATE_OWN,
                cls.UPDATE_OWN,
                cls.ROTATE_OWN,
                cls.REVOKE_OWN,
                cls.SERVICE_ACCOUNT_MANAGE,
                cls.PLATFORM_PLANT,
            }
        )
