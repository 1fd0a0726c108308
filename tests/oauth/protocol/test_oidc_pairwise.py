"""Subjects by sector (OpenID Connect Core 1.0, section 8)."""

import json

import pytest

from portico.oauth.protocol.oidc_pairwise import (
    check_sector_document,
    needs_sector_document,
    pairwise_subject,
    sector_of,
)
from portico.oauth.protocol.refusals import ErrorCode, Refused

ONE, TWO = "https://app.example/cb", "https://other.example/cb"


@pytest.mark.bar("A25-25.9")
def test_sector_is_the_host_of_document_or_redirects() -> None:
    assert sector_of([ONE, TWO], "https://sector.example/uris.json", "c") == "sector.example"
    assert sector_of([ONE, "https://APP.example/other"], None, "c") == "app.example"
    assert sector_of([], None, "c") == "c"
    assert needs_sector_document([ONE, TWO])
    assert not needs_sector_document([ONE])


@pytest.mark.bar("A25-25.9")
def test_subject_is_the_same_in_a_sector_and_another_one_elsewhere() -> None:
    key = b"k" * 32
    subjects = [
        pairwise_subject(key, "app.example", "u1"),
        pairwise_subject(key, "other.example", "u1"),
        pairwise_subject(key, "app.example", "u2"),
        pairwise_subject(b"l" * 32, "app.example", "u1"),
        pairwise_subject(key, "app.exampleu", "1"),
    ]

    assert subjects[0] == pairwise_subject(key, "app.example", "u1")
    assert len(set(subjects)) == len(subjects)
    assert all(len(each) == 43 and each.isascii() for each in subjects)


@pytest.mark.bar("A25-25.9")
def test_document_names_every_redirect() -> None:
    check_sector_document(json.dumps([ONE, TWO, "https://more.example"]).encode(), [ONE, TWO])


@pytest.mark.bar("A25-25.9")
@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"{}",
        b"[1]",
        b"null",
        json.dumps([ONE]).encode(),
        b"\xff",
        b"[" * 10_000,
        json.dumps({"uris": [ONE, TWO]}).encode(),
    ],
)
def test_document_that_does_not_is_refused(document: bytes) -> None:
    with pytest.raises(Refused) as refused:
        check_sector_document(document, [ONE, TWO])

    assert refused.value.error is ErrorCode.INVALID_CLIENT_METADATA
