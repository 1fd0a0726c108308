"""The types of `authorization_details` that features declare (RFC 9396)."""

from collections.abc import Collection, Mapping
from typing import Any

from portico.feature import FeatureSet
from portico.oauth.protocol.rfc9396_authorization_details import DetailsType, read_details
from portico.runtime import Runtime


class DetailsBook:
    """Every declared type by its name; one a process."""

    def __init__(self, runtime: Runtime) -> None:
        declared = runtime.get(FeatureSet).contributed(DetailsType)
        self.types: Mapping[str, DetailsType] = {each.name: each for each in declared}

    def read(self, text: str, allowed: Collection[str]) -> tuple[dict[str, Any], ...]:
        """Return the details of a request.

        Raises:
            Refused: invalid_authorization_details.
        """
        return tuple(read_details(text, self.types, allowed=allowed or None))
