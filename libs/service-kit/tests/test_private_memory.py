"""A real process, asked from inside what the system holds of it."""

import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, resource
from vyomo_service_kit.private_memory import keep_memory_private

keep_memory_private()
print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems have no such switch")
def test_process_leaves_no_core_and_lets_nobody_attach() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "(0, 0) 0"
