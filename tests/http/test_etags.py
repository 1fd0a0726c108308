"""Versions of single resources: RFC 9110, sections 8.8.3 and 13."""

import time
from uuid import uuid4

import httpx2
import pytest
from starlette.responses import Response

from portico.core.errors import PreconditionFailed
from portico.http.etags import Conditions, NotModified, etag_of

PATH = f"/api/v1/shop/orders/{uuid4()}"


@pytest.mark.parametrize("header", [None, '"3"', "*", '"1", "3"', '"1","3" ,"9"', ' "3" '])
def test_change_of_the_known_version_goes_on(header: str | None) -> None:
    Conditions(if_match=header).require(3)


@pytest.mark.parametrize("header", ['"2"', 'W/"3"', "3", "'3'", '"3', "", '"33"', '"2", W/"3"', "**", '"3"x'])
def test_change_of_another_version_is_refused(header: str) -> None:
    with pytest.raises(PreconditionFailed):
        Conditions(if_match=header).require(3)


@pytest.mark.parametrize("header", ['"3"', 'W/"3"', "*", '"1", W/"3"'])
def test_known_version_is_not_sent_again(header: str) -> None:
    with pytest.raises(NotModified):
        Conditions(if_none_match=header).answer(Response(), 3)


@pytest.mark.parametrize("header", [None, '"2"', "3", ""])
def test_other_version_is_sent_with_its_tag(header: str | None) -> None:
    response = Response()
    Conditions(if_none_match=header).answer(response, 3)

    assert response.headers["etag"] == etag_of(3) == '"3"'


def test_endless_list_of_tags_names_nothing() -> None:
    begun = time.process_time()
    with pytest.raises(PreconditionFailed):
        Conditions(if_match=" " * 16_000 + '"3"').require(3)

    assert time.process_time() - begun < 0.05


async def test_conditions_over_http(client: httpx2.AsyncClient) -> None:
    read = await client.get(PATH)
    unchanged = await client.get(PATH, headers={"If-None-Match": read.headers["etag"]})
    changed = await client.put(PATH, headers={"If-Match": read.headers["etag"]}, json={"name": "tea"})
    late = await client.put(PATH, headers={"If-Match": '"2"'}, json={"name": "tea"})

    assert (unchanged.status_code, unchanged.content, unchanged.headers["etag"]) == (304, b"", '"3"')
    assert changed.status_code == 200
    assert (late.status_code, late.json()["code"]) == (412, "precondition_failed")
