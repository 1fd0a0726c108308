"""What a waiting message says, closed under the root secret: mails carry links that sign people in."""

import json
from dataclasses import asdict
from uuid import UUID

from portico.mail.types import Content
from portico.runtime import Runtime

PURPOSE = "mail-content"


def seal_content(runtime: Runtime, row_id: UUID, content: Content) -> bytes:
    """Return the content as it is stored; it opens in this row only."""
    plain = json.dumps(asdict(content)).encode()
    return runtime.secret.seal(PURPOSE, plain, context=row_id.bytes, entropy=runtime.entropy)


def open_content(runtime: Runtime, row_id: UUID, sealed: bytes) -> Content:
    """Return what was sealed.

    Raises:
        SealBroken: changed, moved to another row, or sealed under another root secret.
    """
    return Content(**json.loads(runtime.secret.open(PURPOSE, sealed, context=row_id.bytes)))
