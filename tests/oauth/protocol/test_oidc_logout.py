"""Signing out: who is asked, where the browser goes, what others are told (the three Logout 1.0 specifications)."""

import pytest

from portico.oauth.protocol.oidc_logout import (
    Hint,
    LogoutRequest,
    LogoutVerdict,
    client_of,
    frontchannel_uri,
    judge_logout,
    logout_token_claims,
)
from portico.oauth.protocol.refusals import ErrorCode, Refused

BYE = "https://app.example/bye?x=1"
HINT = Hint(client_id="c1", subject="u1", sid="s1")


@pytest.mark.bar("A26-26.1")
def test_hint_of_the_session_signs_out_and_goes_back_with_the_state() -> None:
    request = LogoutRequest(id_token_hint="…", post_logout_redirect_uri=BYE, state="a b&c")

    verdict = judge_logout(request, HINT, registered=[BYE], is_own_session=True)

    assert verdict == LogoutVerdict(asks=False, client_id="c1", return_to=BYE + "&state=a+b%26c")


@pytest.mark.bar("A26-26.1")
@pytest.mark.parametrize(
    ("request_", "hint", "own"),
    [
        (LogoutRequest(), None, True),
        (LogoutRequest(client_id="c1", post_logout_redirect_uri=BYE), None, True),
        (LogoutRequest(id_token_hint="…", post_logout_redirect_uri=BYE), HINT, False),
    ],
)
def test_without_a_hint_of_this_session_the_person_is_asked(
    request_: LogoutRequest, hint: Hint | None, own: bool
) -> None:
    assert judge_logout(request_, hint, registered=[BYE], is_own_session=own).asks


@pytest.mark.bar("A26-26.1", "CHECK-6")
@pytest.mark.parametrize(
    ("request_", "hint", "registered"),
    [
        (LogoutRequest(post_logout_redirect_uri=BYE), None, None),
        (LogoutRequest(client_id="unknown", post_logout_redirect_uri=BYE), None, None),
        (LogoutRequest(client_id="c2", post_logout_redirect_uri=BYE), HINT, [BYE]),
        (LogoutRequest(client_id="c2"), HINT, [BYE]),
        *(
            (LogoutRequest(post_logout_redirect_uri=uri), HINT, [BYE])
            for uri in (
                "https://app.example/bye", BYE + "&y", BYE + "/", BYE + "#", "https://app.example@evil.example/bye?x=1",
                "//evil.example", "https://evil.example/bye?x=1", "javascript:alert(1)", "https://app.example/bye?x=1%00",
            )
        ),
        (LogoutRequest(post_logout_redirect_uri=BYE), HINT, []),
    ],
)  # fmt: skip
def test_anything_doubtful_is_a_page_and_never_a_redirect(
    request_: LogoutRequest, hint: Hint | None, registered: list[str] | None
) -> None:
    with pytest.raises(Refused) as refused:
        judge_logout(request_, hint, registered=registered, is_own_session=True)

    assert refused.value.error is ErrorCode.INVALID_REQUEST


@pytest.mark.bar("A26-26.1")
def test_client_is_told_by_hint_or_parameter() -> None:
    assert client_of(LogoutRequest(client_id="c1"), HINT) == "c1"
    assert client_of(LogoutRequest(client_id="c9"), None) == "c9"
    assert client_of(LogoutRequest(), None) is None


@pytest.mark.bar("A27-27.1")
def test_logout_token_names_subject_and_session_for_two_minutes_and_has_no_nonce() -> None:
    claims = logout_token_claims(
        issuer="https://id.example", client_id="c1", jti="j", now=100, subject="u", sid="s"
    )

    assert claims == {
        "iss": "https://id.example",
        "aud": "c1",
        "iat": 100,
        "exp": 220,
        "jti": "j",
        "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
        "sub": "u",
        "sid": "s",
    }
    with pytest.raises(ValueError, match="subject or a session"):
        logout_token_claims(issuer="i", client_id="c", jti="j", now=1, subject=None, sid=None)


@pytest.mark.bar("A28-28.1")
def test_frame_is_told_issuer_and_session_where_it_asks_for_them() -> None:
    uri = "https://app.example/out"

    told = frontchannel_uri(uri, issuer="https://id.example", sid="s&", session_required=True)

    assert told == uri + "?iss=https%3A%2F%2Fid.example&sid=s%26"
    assert frontchannel_uri(uri, issuer="https://id.example", sid="s", session_required=False) == uri
