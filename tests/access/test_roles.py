"""What roles hold, as features declare it; and the words of permissions."""

import pytest

from portico.access.permissions import PlatformPermission
from portico.access.roles import RoleBook, RoleMisdeclared
from portico.access.types import OrganizationRole, PlatformRole
from portico.app import default_features
from portico.core.permissions import Permission, Reach
from portico.feature import Feature
from tests.access.conftest import PaperPermission, papers_feature


def book_of(*features: Feature) -> RoleBook:
    return RoleBook([papers_feature(), *features])


@pytest.mark.parametrize(
    ("permission", "reach"),
    [
        (PaperPermission.LIST_OWN, Reach.SELF),
        (PaperPermission.COUNT, Reach.PLATFORM),
        (PaperPermission.READ, Reach.ORGANIZATION),
    ],
)
def test_the_words_of_a_permission_tell_where_it_is_held(permission: Permission, reach: Reach) -> None:
    assert permission.reach is reach


def test_owners_hold_everything_of_organizations_and_superusers_everything_of_the_platform() -> None:
    book = book_of()

    assert book.system[OrganizationRole.OWNER] == {
        "paper:paper:read",
        "paper:paper:write",
        "paper:paper:delete",
        "paper:paper:sign",
    }
    assert book.of_platform([PlatformRole.SUPERUSER]) == {"platform:paper:count"} | {"platform:health:read"}
    assert book.system["printer"] == {"paper:paper:read"}
    assert book.of_platform(["no such role"]) == frozenset()


@pytest.mark.parametrize(
    "roles",
    [
        {OrganizationRole.MEMBER: {PlatformPermission.ROLE_READ}},
        {OrganizationRole.MEMBER: {PaperPermission.LIST_OWN}},
        {PlatformRole.SUPPORT: {PaperPermission.READ}},
        {"Not A Name": {PaperPermission.READ}},
    ],
)
def test_a_role_that_cannot_hold_what_a_feature_gives_it_stops_the_start(
    roles: dict[str, set[Permission]],
) -> None:
    with pytest.raises(RoleMisdeclared):
        book_of(Feature(name="wrong", roles=roles))


def test_every_permission_has_three_parts_and_one_owner() -> None:
    features = default_features()

    values = [each.value for feature in features if feature.permissions for each in feature.permissions]

    assert len(values) == len(set(values))
    assert all(len(value.split(":")) == 3 and all(value.split(":")) for value in values)
