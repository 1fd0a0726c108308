"""A syslog receiver over TLS that shares nothing with the sender but the standard: blocking sockets in a thread."""

import contextlib
import datetime as dt
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

SIGNS = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)

type Behaviour = Callable[["Receiver", ssl.SSLSocket], None]


@dataclass
class Authority:
    """Somebody who signs certificates."""

    folder: Path
    name: str = "Authority"
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def file(self) -> Path:
        """Return the file of its own certificate."""
        path = self.folder / f"{self.name}.pem"
        if not path.exists():
            subject = _name(self.name)
            made = (
                _begun(subject, subject, self.key.public_key())
                .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
                .add_extension(SIGNS, critical=True)
                .add_extension(
                    x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False
                )
            )
            path.write_bytes(made.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM))
        return path

    def context_for(self, *hosts: str, ends_in: dt.timedelta = dt.timedelta(days=1)) -> ssl.SSLContext:
        """Return a server's context with a certificate for these names or addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        begun = _begun(_name("receiver"), _name(self.name), key.public_key(), ends_in)
        made = begun.add_extension(
            x509.SubjectAlternativeName([_general(host) for host in hosts]), critical=False
        ).add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False
        )
        certificate = made.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file = self.folder / f"{'-'.join(hosts)}.{self.name}.pem"
        file.write_bytes(certificate + private)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


def _name(common: str) -> x509.Name:
    return x509.Name.from_rfc4514_string(f"CN={common}")


def _general(host: str) -> x509.GeneralName:
    with contextlib.suppress(ValueError):
        return x509.IPAddress(ipaddress.ip_address(host))
    return x509.DNSName(host)


def _begun(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    ends_in: dt.timedelta = dt.timedelta(days=1),
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=2))
        .not_valid_after(now + ends_in)
    )


def reads_to_the_end(receiver: "Receiver", connection: ssl.SSLSocket) -> None:
    """Take every frame, say goodbye, close."""
    receiver.read(connection)
    with contextlib.suppress(OSError):
        connection.unwrap()


def reads_and_hangs_up(receiver: "Receiver", connection: ssl.SSLSocket) -> None:
    """Take every frame and close without a goodbye, as many receivers do."""
    receiver.read(connection)


def hangs_up_at_once(_receiver: "Receiver", _connection: ssl.SSLSocket) -> None:
    """Close right after the handshake."""


def dies_while_reading(_receiver: "Receiver", connection: ssl.SSLSocket) -> None:
    """Read a little and close with the rest unread."""
    connection.recv(10)


def says_goodbye_at_once(_receiver: "Receiver", connection: ssl.SSLSocket) -> None:
    """End in good order, but before anything has come: a receiver that is being restarted."""
    connection.setblocking(False)
    with contextlib.suppress(OSError):
        connection.unwrap()


@dataclass
class Receiver:
    """Listens; `frames` is what it has taken."""

    context: ssl.SSLContext
    behaviours: list[Behaviour] = field(default_factory=list)
    """One for each connection to come; then it reads to the end."""
    frames: list[str] = field(default_factory=list)
    versions: list[str | None] = field(default_factory=list)
    port: int = 0

    @contextlib.contextmanager
    def listening(self, port: int = 0) -> Iterator["Receiver"]:
        """Accept connections, one after the other."""
        listener = socket.create_server(("127.0.0.1", port))
        self.port = listener.getsockname()[1]
        thread = threading.Thread(target=self._serve, args=(listener,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            thread.join(5)

    def read(self, connection: ssl.SSLSocket) -> None:
        """Read frames by their lengths to the end; half a frame is none."""
        data = b""
        while more := connection.recv(65_536):
            data += more
        while data:
            length, _, rest = data.partition(b" ")
            assert len(rest) >= int(length)
            self.frames.append(rest[: int(length)].decode())
            data = rest[int(length) :]

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                raw, _ = listener.accept()
            except OSError:
                return
            behave = self.behaviours.pop(0) if self.behaviours else reads_to_the_end
            with contextlib.suppress(OSError), self.context.wrap_socket(raw, server_side=True) as connection:
                self.versions.append(connection.version())
                behave(self, connection)
            raw.close()
