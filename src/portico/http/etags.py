"""`ETag`, `If-Match` and `If-None-Match` of single resources, from the `version` that each update raises.

    async def read_profile(..., conditions: ConditionsDep, response: Response) -> ProfileResponse:
        ...
        conditions.answer(response, profile.version)      # sets ETag; 304 if the caller has this version

    async def change_profile(..., conditions: ConditionsDep, response: Response) -> ProfileResponse:
        conditions.require(profile.version)               # 412 if somebody was faster; inside the unit

Source: RFC 9110, sections 8.8.3 and 13. Tags are strong.
"""

import re
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header
from starlette.responses import Response

from portico.core.errors import PreconditionFailed

MAX_HEADER = 1_000
_TAGS = re.compile(r'\s*(W/)?"([\x21\x23-\x7e]*)"\s*(?:,|$)')


class NotModified(Exception):
    """The caller has this version already: 304, without a body."""

    def __init__(self, tag: str) -> None:
        super().__init__(tag)
        self.tag = tag


def etag_of(version: int) -> str:
    """Return the strong entity tag of a version."""
    return f'"{version}"'


@dataclass(frozen=True, slots=True)
class Conditions:
    """What the caller knows of the resource."""

    if_match: str | None = None
    if_none_match: str | None = None

    def require(self, version: int) -> None:
        """Go on only if `If-Match` is absent, `*`, or names this version.

        Raises:
            PreconditionFailed: it names another one, a weak tag, or nothing that can be read (412).
        """
        if self.if_match is None or self.if_match.strip() == "*":
            return
        if (False, str(version)) not in _tags(self.if_match):
            raise PreconditionFailed

    def answer(self, response: Response, version: int) -> None:
        """Set `ETag`.

        Raises:
            NotModified: `If-None-Match` names this version, by a weak or strong tag (304).
        """
        tag = etag_of(version)
        if self.if_none_match is not None and self._knows(version):
            raise NotModified(tag)
        response.headers["ETag"] = tag

    def _knows(self, version: int) -> bool:
        given = self.if_none_match or ""
        return given.strip() == "*" or any(tag == str(version) for _, tag in _tags(given))


def _tags(header: str) -> set[tuple[bool, str]]:
    """Read a list of tags; one longer than any of ours names nothing, and is not searched through."""
    if len(header) > MAX_HEADER:
        return set()
    return {(bool(weak), tag) for weak, tag in _TAGS.findall(header)}


async def get_conditions(
    if_match: Annotated[str | None, Header(description="The version to change.")] = None,
    if_none_match: Annotated[str | None, Header(description="The version already known.")] = None,
) -> Conditions:
    """Return the conditions that the request states."""
    return Conditions(if_match, if_none_match)


ConditionsDep = Annotated[Conditions, Depends(get_conditions)]
