"""Names that strangers give their clients: what people read before they let one in."""

from dataclasses import replace

from portico.oauth.protocol.rfc7591_registration import ClientMetadata
from portico.runtime import Runtime
from portico.users.usernames import skeleton


def without_our_name(runtime: Runtime, metadata: ClientMetadata) -> ClientMetadata:
    """Return the metadata without a name that people could take for our own: its id or host is shown instead.

    Look-alike letters count as those that they look like (RFC 7591, section 5: names and logos can deceive).
    """
    name = metadata.client_name
    if name is None or _bare(name) != _bare(runtime.settings.name):
        return metadata
    return replace(metadata, client_name=None)


def _bare(name: str) -> str:
    return "".join(letter for letter in skeleton(name) if letter.isalnum())
