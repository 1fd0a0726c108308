"""What a browser may do with an answer: the Content-Security-Policy of pages and of everything else.

A page allows scripts by nonce only; `csp_nonce(request)` makes it when the page asks for it. A page that needs more
sets its own header, made by `page_policy`; the edge leaves it as it is. Source: ASVS 5.0 V3.4.3, V3.4.6.
"""

from collections.abc import Sequence
from typing import Final

from starlette.requests import HTTPConnection
from starlette.types import Scope

from portico.core.entropy import Entropy, random_token

NONCE_KEY: Final = "portico.csp_nonce"
NONCE_BYTES: Final = 16
DATA_POLICY: Final = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"
)


def csp_nonce(request: HTTPConnection) -> str:
    """Return the nonce of this answer, for `<script nonce=…>` and `<style nonce=…>`; made at the first call."""
    entropy: Entropy = request.app.state.runtime.entropy
    nonce: str = request.scope.get(NONCE_KEY) or random_token(entropy, NONCE_BYTES)
    request.scope[NONCE_KEY] = nonce
    return nonce


def page_policy(
    nonce: str | None,
    *,
    form_action: Sequence[str] = ("'self'",),
    style: Sequence[str] = (),
    images: Sequence[str] = (),
    workers: Sequence[str] = (),
    frames: Sequence[str] = (),
) -> str:
    """Return the policy of an HTML page: own files, scripts by nonce, no plug-ins; foreign frames and forms as said."""
    by_nonce = f"'nonce-{nonce}'" if nonce else "'none'"
    styles = " ".join(["'self'", *style, *([] if "'unsafe-inline'" in style or not nonce else [by_nonce])])
    directives = [
        "default-src 'none'",
        f"script-src {by_nonce}",
        f"style-src {styles}",
        " ".join(["img-src 'self' data:", *images]),
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        *([f"worker-src {' '.join(workers)}"] if workers else []),
        *([f"frame-src {' '.join(frames)}"] if frames else []),
        f"form-action {' '.join(form_action)}",
        "base-uri 'none'",
        "object-src 'none'",
        "frame-ancestors 'none'",
    ]
    return "; ".join(directives)


def policy_of(scope: Scope, *, is_page: bool) -> bytes:
    """Return the policy of an answer that sets none itself."""
    return page_policy(scope.get(NONCE_KEY)).encode("ascii") if is_page else DATA_POLICY.encode("ascii")
