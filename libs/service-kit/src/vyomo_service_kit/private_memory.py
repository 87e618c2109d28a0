"""A process's memory for nobody's eyes: no core dump, and no other program of the same user that attaches to it."""

import ctypes
import resource
import sys
from typing import Final

import structlog

_SET_DUMPABLE: Final = 4  # PR_SET_DUMPABLE of linux/prctl.h

log = structlog.get_logger()


def keep_memory_private() -> None:
    """Only what the system has: elsewhere than on Linux no core dump, and nothing more."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if not sys.platform.startswith("linux"):
        return
    if ctypes.CDLL(None, use_errno=True).prctl(_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        log.warning("memory.not_private", errno=ctypes.get_errno())
