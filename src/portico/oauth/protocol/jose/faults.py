"""Why a token or a key was not believed."""

from enum import StrEnum

from portico.oauth.protocol.refusals import ErrorCode, Refused, UnknownKey


class Fault(StrEnum):
    """The first check that failed, in the order of the checks."""

    MALFORMED = "malformed"
    HEADER = "header"
    TYPE = "type"
    ALGORITHM = "algorithm"
    KEY = "key"
    UNKNOWN_KEY = "unknown_key"
    SIGNATURE = "signature"
    CLAIMS = "claims"
    EXPIRED = "expired"
    NOT_YET = "not_yet"
    LIFETIME = "lifetime"


class Rejected(Exception):
    """A token or key that is not good here; `detail` is for the log."""

    def __init__(self, fault: Fault, detail: str) -> None:
        super().__init__(f"{fault}: {detail}")
        self.fault = fault
        self.detail = detail


SAID: dict[Fault, str] = {
    Fault.MALFORMED: "is not a compact signed JWT",
    Fault.HEADER: "has a header that is not accepted here",
    Fault.TYPE: "has the wrong typ",
    Fault.ALGORITHM: "is signed with an algorithm that is not accepted here",
    Fault.KEY: "names a key that is not accepted here",
    Fault.UNKNOWN_KEY: "is signed with a key that is not known",
    Fault.SIGNATURE: "has an invalid signature",
    Fault.CLAIMS: "lacks a claim or has one with a wrong value",
    Fault.EXPIRED: "has expired",
    Fault.NOT_YET: "lies in the future",
    Fault.LIFETIME: "is valid for too long or was made too long ago",
}
"""What the client is told; the detail stays in the log."""


def refusal(code: ErrorCode, subject: str, rejected: Rejected) -> Refused:
    """Return the refusal of `subject` ("The client assertion") under the error code of the caller's RFC."""
    kind = UnknownKey if rejected.fault is Fault.UNKNOWN_KEY else Refused
    return kind(code, f"{subject} {SAID[rejected.fault]}", f"{rejected.fault}: {rejected.detail}")
