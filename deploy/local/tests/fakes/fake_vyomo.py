"""The real command line over a small system: `python fake_vyomo.py up --state DIR`."""

import errno
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from unittest.mock import patch

from vyomo_local import supervisor, units
from vyomo_local.cli import main
from vyomo_local.state import StateFolder
from vyomo_local.system import ServiceModule, System
from vyomo_service_kit.embedded.processes import ProcessRecord


class FakeSystem(System):
    def keys_command(self, state: StateFolder) -> Sequence[str] | None:
        if "FAKE_BUG" in os.environ:
            raise LookupError(os.environ["FAKE_BUG"])
        return super().keys_command(state)


def without_room(write: Callable[[ProcessRecord, Path], None]) -> Callable[[ProcessRecord, Path], None]:
    def full(record: ProcessRecord, path: Path) -> None:
        if path.name != "supervisor.process":  # written while there was still room
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(record, path)

    return full


SYSTEM = FakeSystem(
    services=(ServiceModule("worker", "fake_worker"), ServiceModule("gateway", "fake_gateway")),
    keys_module="fake_keys",
    migrations_module=os.environ.get("FAKE_MIGRATIONS", "vyomo_service_kit.migrations"),
    provision_module="fake_provision",
)

if __name__ == "__main__":
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)
    # Tests should not take the minutes that the real limits are made for.
    units.HEARTBEAT_LIMIT_SECONDS = 2.0
    supervisor.DRAIN_LIMIT_SECONDS = 3.0
    if "FAKE_FULL_DISK" in os.environ:
        patch.object(ProcessRecord, "write", without_room(ProcessRecord.write)).start()
    sys.exit(main(system=SYSTEM))
