import pytest

from portico.oauth.protocol.jose import Fault, Rejected, refusal
from portico.oauth.protocol.refusals import ErrorCode, Refused, UnknownKey


@pytest.mark.parametrize("fault", Fault)
def test_a_token_that_is_not_believed_is_refused_under_the_code_of_its_rfc(fault: Fault) -> None:
    refused = refusal(ErrorCode.INVALID_CLIENT, "The client assertion", Rejected(fault, "kid 'a\"b\n'"))

    assert (refused.error, refused.detail) == ("invalid_client", f"{fault}: kid 'a\"b\n'")
    assert all(" " <= letter <= "~" and letter not in '"\\' for letter in refused.description)


def test_only_an_unknown_key_is_worth_another_try() -> None:
    kinds = {fault: type(refusal(ErrorCode.INVALID_GRANT, "It", Rejected(fault, ""))) for fault in Fault}

    assert [fault for fault, kind in kinds.items() if kind is not Refused] == [Fault.UNKNOWN_KEY]
    assert issubclass(kinds[Fault.UNKNOWN_KEY], UnknownKey)


def test_a_refusal_tells_the_client_its_description_and_not_its_detail() -> None:
    refused = Refused(ErrorCode.INVALID_SCOPE, "no such scope", "secret")

    assert "secret" not in str(refused)
    assert str(refused) == "invalid_scope: no such scope"
