"""P37: processes that were forked from one parent never make the same id or secret."""

import os
import subprocess
import sys

import pytest

from tests.faults.prefork import KINDS
from tests.faults.sweep import ROOT

WORKERS = 8
EACH = 8_000 * int(os.environ.get("PORTICO_TEST_SCALE", "1"))


@pytest.mark.bar("P37")
def test_preforked_workers_repeat_nothing() -> None:
    command = [sys.executable, "-m", "tests.faults.prefork", str(WORKERS), str(EACH)]
    told = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()

    assert len(told) == len(KINDS) * (WORKERS * EACH + 10)
    assert len(set(told)) == len(told)
