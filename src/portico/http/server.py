"""How uvicorn is run, so that the edge sees the request as it came."""

import math
from typing import Any

from portico.core.settings import Settings


def server_options(settings: Settings) -> dict[str, Any]:
    """Return the options of `uvicorn.run` that the edge relies on.

    `proxy_headers` is off because the edge reads the one header that the settings trust: uvicorn would believe
    `X-Forwarded-For` from any local process. Logging is ours; no `Server` header.
    """
    return {
        "proxy_headers": False,
        "server_header": False,
        "date_header": True,
        "access_log": False,
        "log_config": None,
        "lifespan": "on",
        "timeout_keep_alive": 15,
        "timeout_graceful_shutdown": math.ceil(settings.http.request_timeout.total_seconds()),
        "h11_max_incomplete_event_size": settings.http.max_header_bytes,
        "ws_max_size": settings.http.max_body_bytes,
    }
