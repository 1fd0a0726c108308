"""Mail servers are spoken to over TLS, and only to those whose certificate is good."""

import asyncio
import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from portico.core.safety import UnsafeSettings, refuse_unsafe_settings
from portico.core.settings import Settings
from portico.mail.settings import MailSettings
from portico.mail.transports import TransportDown, open_transport
from portico.mail.transports.smtp import SmtpServer, SmtpTransport
from tests.mail.sink import Sink
from tests.mail.test_messages import build

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a certificate for localhost that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    pem, secret = folder / "cert.pem", folder / "key.pem"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return pem, secret


def server_side(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    return context


def server(sink: Sink, **given: Any) -> SmtpServer:
    defaults: dict[str, Any] = {
        "host": "localhost",
        "port": sink.port,
        "uses_tls": False,
        "starttls": True,
        "timeout_seconds": 2,
        "own_name": "localhost",
    }
    return SmtpServer(**{**defaults, **given})


@pytest.mark.parametrize("implicit", [True, False], ids=["smtps", "starttls"])
async def test_trusted_server_takes_mail_over_tls(certificate: tuple[Path, Path], *, implicit: bool) -> None:
    async with Sink(
        tls=server_side(certificate), implicit_tls=implicit, logins={"shop": "p@ss:w/rd"}
    ) as sink:
        transport = SmtpTransport(
            server(
                sink,
                uses_tls=implicit,
                starttls=None if implicit else True,
                ca_file=certificate[0],
                username="shop",
                password="p@ss:w/rd",
            )
        )

        await transport.send(build())

        assert len(sink.received) == 1
        assert await transport.check() == f"localhost:{sink.port} answers, TLSv1.3"


@pytest.mark.bar("ASVS-12.3.2")
@pytest.mark.parametrize("implicit", [True, False], ids=["smtps", "starttls"])
async def test_server_with_an_unknown_certificate_gets_no_mail(
    certificate: tuple[Path, Path], *, implicit: bool
) -> None:
    async with Sink(tls=server_side(certificate), implicit_tls=implicit) as sink:
        transport = SmtpTransport(server(sink, uses_tls=implicit, starttls=None if implicit else True))

        with pytest.raises(TransportDown, match=r"(?i)certificate"):
            await transport.send(build())

        await asyncio.sleep(0)
        assert sink.received == []


@pytest.mark.bar("ASVS-12.3.1")
async def test_required_starttls_that_is_not_offered_stops_the_mail(sink: Sink) -> None:
    with pytest.raises(TransportDown, match="STARTTLS"):
        await SmtpTransport(server(sink)).send(build())

    assert sink.received == []


async def test_wrong_password_is_a_fault_of_the_transport(certificate: tuple[Path, Path]) -> None:
    async with Sink(tls=server_side(certificate), logins={"shop": "right"}) as sink:
        transport = SmtpTransport(server(sink, ca_file=certificate[0], username="shop", password="wrong"))

        with pytest.raises(TransportDown, match="535"):
            await transport.send(build())


@pytest.mark.bar("ASVS-12.3.1")
@pytest.mark.parametrize(
    ("environment", "url", "starttls", "uses_tls", "port"),
    [
        ("production", "smtp://mail.example.com", True, False, 587),
        ("staging", "smtp://mail.example.com:25", True, False, 25),
        ("development", "smtp://mail.example.com", None, False, 587),
        ("production", "smtp://localhost:1025", False, False, 1025),
        ("production", "smtp://[::1]", False, False, 587),
        ("production", "smtps://user:p%40ss@mail.example.com", False, True, 465),
    ],
)
def test_tls_by_environment(
    environment: str, url: str, starttls: bool | None, uses_tls: bool, port: int
) -> None:
    settings = Settings(environment=environment, mail={"url": url}).with_sections({"mail": MailSettings})

    chosen = SmtpServer.from_settings(settings, settings.section(MailSettings))

    assert (chosen.starttls, chosen.uses_tls, chosen.port) == (starttls, uses_tls, port)
    assert "p@ss" not in repr(chosen)
    assert chosen.password == ("p@ss" if "user" in url else None)


def test_production_without_a_mail_server_is_refused() -> None:
    settings = Settings(
        environment="production",
        public_url="https://id.example.com",
        secret_key="0123456789abcdefghijklmnopqrstuvwxyz",
    ).with_sections({"mail": MailSettings})

    with pytest.raises(UnsafeSettings, match="PORTICO_MAIL__URL"):
        refuse_unsafe_settings(settings)


def test_folder_is_opened_for_a_file_url(tmp_path: Path) -> None:
    settings = Settings(environment="test", mail={"url": f"file://{tmp_path}/post"}).with_sections(
        {"mail": MailSettings}
    )

    assert open_transport(settings).folder == tmp_path / "post"  # type: ignore[attr-defined]
