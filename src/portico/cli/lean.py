"""What makes a server process start quickly and stay small; only for processes that are wholly ours.

Imported before anything heavy: importing it imports structlog, as if rich were not installed.
"""

import gc
import importlib
import sys


def _import_structlog_without_rich() -> None:
    """Spare some 70 modules (4 MB, 60 ms) for coloured tracebacks, which `core.logging` writes as plain text."""
    if "structlog" in sys.modules or "rich" in sys.modules:
        return
    sys.modules["rich"] = None  # type: ignore[assignment]  # what makes `import rich` fail
    try:
        importlib.import_module("structlog")
    finally:
        del sys.modules["rich"]


def collect_no_garbage() -> None:
    """Let no garbage collection run while the server is put together: nearly all that is made then stays."""
    gc.disable()


def collect_garbage_of_requests() -> None:
    """Let collections run from now on, and none of them look at what exists already (Python docs, `gc.freeze`)."""
    gc.freeze()
    gc.enable()


_import_structlog_without_rich()
