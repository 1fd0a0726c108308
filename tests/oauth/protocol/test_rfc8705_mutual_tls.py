import base64
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote

import pytest
from cryptography import x509
from hypothesis import given, strategies as st

from portico.oauth.protocol.jose import parse_jwk
from portico.oauth.protocol.refusals import ErrorCode, Refused, UnknownKey
from portico.oauth.protocol.rfc8705_mutual_tls import (
    ClientCertificate,
    SubjectKind,
    SubjectRule,
    check_binding,
    check_self_signed,
    check_subject,
    check_validity,
    parse_certificate,
    read_subject_rule,
)
from tests.oauth.protocol.certificates import NOW, certificate, der, pem
from tests.oauth.protocol.foreign_keys import ec_key, parsed, rsa_key

pytestmark = pytest.mark.bar("A19-19.1")

RFC_PEM = """-----BEGIN CERTIFICATE-----
MIIBBjCBrAIBAjAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDARtdGxzMB4XDTE4MTAx
ODEyMzcwOVoXDTIyMDUwMjEyMzcwOVowDzENMAsGA1UEAwwEbXRsczBZMBMGByqG
SM49AgEGCCqGSM49AwEHA0IABNcnyxwqV6hY8QnhxxzFQ03C7HKW9OylMbnQZjjJ
/Au08/coZwxS7LfA4vOLS9WuneIXhbGGWvsDSb0tH6IxLm8wCgYIKoZIzj0EAwID
SQAwRgIhAP0RC1E+vwJD/D1AGHGzuri+hlV/PpQEKTWUVeORWz83AiEA5x2eXZOV
bUlJSGQgjwD5vaUaKlLR50Q2DmFfQj1L+SY=
-----END CERTIFICATE-----
"""
RFC_JWK = {
    "kty": "EC",
    "x": "1yfLHCpXqFjxCeHHHMVDTcLscpb07KUxudBmOMn8C7Q",
    "y": "8_coZwxS7LfA4vOLS9WuneIXhbGGWvsDSb0tH6IxLm8",
    "crv": "P-256",
}
"""RFC 8705, appendix A."""


def structured(one: x509.Certificate) -> str:
    return f":{base64.b64encode(der(one)).decode()}:"


def read(one: x509.Certificate) -> ClientCertificate:
    return parse_certificate(pem(one))


def refused(act: Any, *arguments: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        act(*arguments)
    return caught.value


class TestReading:
    def test_the_thumbprint_is_that_of_the_example(self) -> None:
        """RFC 8705, section 3.1 and appendix A."""
        assert parse_certificate(RFC_PEM).thumbprint == "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0"

    def test_a_proxy_may_write_it_in_three_ways(self) -> None:
        """PEM; nginx's escaped PEM; RFC 9440."""
        one = certificate()
        ways = [
            pem(one),
            quote(pem(one), safe=""),
            structured(one),
            pem(one).replace("\n", "\r\n"),
            f" {structured(one)} ",
        ]

        assert {parse_certificate(way).der for way in ways} == {der(one)}

    @pytest.mark.parametrize(
        "header",
        [
            "",
            "(null)",
            ":::",
            "::",
            ":AAAA:",
            ":MIIB:",
            RFC_PEM * 2,
            RFC_PEM + "x",
            "x" + RFC_PEM,
            RFC_PEM.replace("CERTIFICATE", "PUBLIC KEY"),
            RFC_PEM.replace("MIIB", "MIIC"),
            RFC_PEM.replace("MIIB", "MII"),
            RFC_PEM.replace("MIIB", "ＭIIB"),
            RFC_PEM[:300],
            quote(RFC_PEM, safe="") + "%",
            "A" * 16_385,
            ":" + "A" * 10**6 + ":",
        ],
    )
    def test_what_is_no_single_certificate_is_refused(self, header: str) -> None:
        assert refused(parse_certificate, header).error == "invalid_client"

    def test_two_in_one_structured_header_are_refused(self) -> None:
        one = structured(certificate())

        assert refused(parse_certificate, f"{one}, {one}").error == "invalid_client"

    def test_padding_in_its_midst_is_refused(self) -> None:
        text = structured(certificate())

        assert refused(parse_certificate, f"{text[:9]}={text[9:]}").error == "invalid_client"

    def test_a_large_one_is_refused(self) -> None:
        names = [x509.DNSName(f"{index}.a-rather-long-name.example.com") for index in range(400)]

        assert refused(parse_certificate, pem(certificate(names=names))).error == "invalid_client"

    def test_what_follows_a_certificate_is_refused(self) -> None:
        longer = base64.b64encode(der(certificate()) + b"\0").decode()

        assert refused(parse_certificate, f":{longer}:").error == "invalid_client"

    @given(
        st.text(max_size=80) | st.binary(max_size=80).map(lambda raw: f":{base64.b64encode(raw).decode()}:")
    )
    def test_anything_else_is_refused(self, header: str) -> None:
        refused(parse_certificate, header)

    @pytest.mark.parametrize("now", [NOW - 86_400, NOW, NOW + 86_400])
    def test_it_is_good_between_its_dates(self, now: int) -> None:
        check_validity(read(certificate()), now)

    @pytest.mark.parametrize("now", [NOW - 86_401, NOW + 86_401])
    def test_and_not_outside_them(self, now: int) -> None:
        """RFC 8705, section 2.2."""
        assert refused(check_validity, read(certificate()), now).error == "invalid_client"


NAMES = [
    x509.DNSName("client.example.com"),
    x509.UniformResourceIdentifier("spiffe://example.com/client"),
    x509.IPAddress(ip_address("2001:db8::1")),
    x509.IPAddress(ip_address("192.0.2.1")),
    x509.RFC822Name("Client@example.com"),
]


class TestSubject:
    @pytest.mark.parametrize(
        ("kind", "value"),
        [
            (SubjectKind.SUBJECT_DN, "CN=client,O=Example\\, Inc.,C=DE"),
            (SubjectKind.SUBJECT_DN, "cn=client,o=Example\\2C Inc.,c=DE"),
            (SubjectKind.SUBJECT_DN, "2.5.4.3=client,O=Example\\, Inc.,C=DE"),
            (SubjectKind.SAN_DNS, "client.example.com"),
            (SubjectKind.SAN_DNS, "CLIENT.example.COM"),
            (SubjectKind.SAN_URI, "spiffe://example.com/client"),
            (SubjectKind.SAN_IP, "2001:db8::1"),
            (SubjectKind.SAN_IP, "2001:0DB8:0::0001"),
            (SubjectKind.SAN_IP, "192.0.2.1"),
            (SubjectKind.SAN_EMAIL, "Client@EXAMPLE.com"),
        ],
    )
    def test_the_one_thing_that_is_registered_is_found(self, kind: SubjectKind, value: str) -> None:
        """RFC 8705, section 2.1.2."""
        check_subject(read(certificate(names=NAMES)), SubjectRule(kind, value))

    @pytest.mark.parametrize(
        ("kind", "value"),
        [
            (SubjectKind.SUBJECT_DN, "CN=other,O=Example\\, Inc.,C=DE"),
            (SubjectKind.SUBJECT_DN, "CN=client"),
            (SubjectKind.SUBJECT_DN, "CN=client,O=Example\\, Inc."),
            (SubjectKind.SUBJECT_DN, "C=DE,O=Example\\, Inc.,CN=client"),
            (SubjectKind.SUBJECT_DN, "CN=client+O=Example\\, Inc.,C=DE"),
            (SubjectKind.SUBJECT_DN, "CN=Client,O=Example\\, Inc.,C=DE"),
            (SubjectKind.SAN_DNS, "example.com"),
            (SubjectKind.SAN_DNS, "*.example.com"),
            (SubjectKind.SAN_DNS, "spiffe://example.com/client"),
            (SubjectKind.SAN_URI, "spiffe://example.com/client/"),
            (SubjectKind.SAN_URI, "client.example.com"),
            (SubjectKind.SAN_IP, "192.0.2.2"),
            (SubjectKind.SAN_IP, "::ffff:192.0.2.1"),
            (SubjectKind.SAN_EMAIL, "client@example.com"),
            (SubjectKind.SAN_EMAIL, "example.com"),
        ],
    )
    def test_another_one_is_not(self, kind: SubjectKind, value: str) -> None:
        answer = refused(check_subject, read(certificate(names=NAMES)), SubjectRule(kind, value))

        assert answer.error == "invalid_client"

    @pytest.mark.parametrize("kind", [SubjectKind.SAN_DNS, SubjectKind.SAN_URI, SubjectKind.SAN_EMAIL])
    def test_a_common_name_is_no_alternative_name(self, kind: SubjectKind) -> None:
        one = read(certificate("CN=client.example.com"))

        assert refused(check_subject, one, SubjectRule(kind, "client.example.com")).error == "invalid_client"

    def test_no_name_at_all_is_nobody(self) -> None:
        one = read(certificate(""))

        assert refused(check_subject, one, SubjectRule(SubjectKind.SUBJECT_DN, "")).error == "invalid_client"

    def test_parts_of_one_level_have_no_order(self) -> None:
        """RFC 4514, section 2.2."""
        one = read(certificate("CN=client+UID=7,C=DE"))

        check_subject(one, SubjectRule(SubjectKind.SUBJECT_DN, "UID=7+CN=client,C=DE"))

    def test_a_value_cannot_pass_as_structure(self) -> None:
        """A subject whose one name contains ",O=Example" is not one with an organization."""
        one = read(certificate("CN=client\\,O=Example"))

        check_subject(one, SubjectRule(SubjectKind.SUBJECT_DN, "CN=client\\,O=Example"))
        refused(check_subject, one, SubjectRule(SubjectKind.SUBJECT_DN, "CN=client,O=Example"))


class TestRegistration:
    def test_the_one_member_is_the_rule(self) -> None:
        given = {"tls_client_auth_san_dns": "client.example.com", "tls_client_auth_san_ip": None, "other": 1}

        assert read_subject_rule(given) == SubjectRule(SubjectKind.SAN_DNS, "client.example.com")

    @pytest.mark.parametrize(
        "given",
        [
            {},
            {"tls_client_auth_san_dns": "a.example", "tls_client_auth_subject_dn": "CN=a"},
            {"tls_client_auth_san_dns": ""},
            {"tls_client_auth_san_dns": ["a.example"]},
            {"tls_client_auth_san_uri": "a" * 1025},
            {"tls_client_auth_san_ip": "300.1.1.1"},
            {"tls_client_auth_subject_dn": ""},
            {"tls_client_auth_subject_dn": "client"},
            {"tls_client_auth_subject_dn": "/C=DE/CN=client"},
            {"tls_client_auth_subject_dn": "CN=client,"},
            {"tls_client_auth_subject_dn": "UNKNOWN=client"},
            {"tls_client_auth_subject_dn": "CN=" + "a" * 2000},
        ],
    )
    def test_anything_but_one_sensible_member_is_refused(self, given: dict[str, Any]) -> None:
        """RFC 8705, section 2.1.2: exactly one."""
        assert refused(read_subject_rule, given).error == "invalid_client_metadata"

    @given(st.text(max_size=60))
    def test_any_subject_is_a_rule_or_refused(self, text: str) -> None:
        try:
            rule = read_subject_rule({"tls_client_auth_subject_dn": text})
        except Refused:
            return
        refused(check_subject, read(certificate("CN=some-other-client")), rule)


class TestSelfSigned:
    def test_the_key_of_a_certificate_is_one_of_the_client(self) -> None:
        """RFC 8705, section 2.2 and appendix A."""
        check_self_signed(parse_certificate(RFC_PEM), [parsed(ec_key()), parse_jwk(RFC_JWK)])

    def test_a_key_with_certificates_takes_the_first_of_them_alone(self) -> None:
        """RFC 8705, section 2.2.2; RFC 7517, section 4.7."""
        one, other = certificate(key=ec_key()), certificate("CN=renewed", key=ec_key())
        x5c = [base64.b64encode(der(one)).decode(), base64.b64encode(der(other)).decode()]
        key = parsed(ec_key(), x5c=x5c)

        check_self_signed(read(one), [key])
        assert refused(check_self_signed, read(other), [key]).error == "invalid_client"

    def test_a_certificate_that_was_attached_to_another_key_is_refused(self) -> None:
        one = certificate(key=ec_key("other"))
        key = parsed(ec_key(), x5c=[base64.b64encode(der(one)).decode()])

        refused(check_self_signed, read(one), [key])

    def test_one_that_we_do_not_know_may_be_fetched(self) -> None:
        answer = refused(check_self_signed, read(certificate()), [parsed(ec_key()), parsed(rsa_key())])

        assert (type(answer), answer.error) == (UnknownKey, "invalid_client")
        refused(check_self_signed, read(certificate()), [])


class TestBinding:
    def test_what_is_bound_comes_with_its_certificate(self) -> None:
        """RFC 8705, section 3."""
        one, other = read(certificate()), read(certificate())

        check_binding(None, None, ErrorCode.INVALID_TOKEN)
        check_binding(one, None, ErrorCode.INVALID_TOKEN)
        check_binding(one, one.thumbprint, ErrorCode.INVALID_TOKEN)
        for wrong in (None, other):
            answer = refused(check_binding, wrong, one.thumbprint, ErrorCode.INVALID_TOKEN)
            assert answer.error == "invalid_token"
