"""`./vyomo link`: a link that signs a browser in, from the gateway's own program."""

import os
import subprocess
import sys

from vyomo_local.state import StateFolder, command

MODULE = "vyomo_gateway.link"


def print_link(state: StateFolder) -> int:
    # Only here: what prints the local key must not wait for these imports.
    from vyomo_local.status import EXIT_NOT_RUNNING  # noqa: PLC0415

    connections, status = state.read_connections(), state.read_status()
    if state.running_supervisor() is None or connections is None or status is None:
        sys.stderr.write(f"there is nothing to sign in to: start it with {command(state, 'up')}\n")
        return EXIT_NOT_RUNNING
    environment = os.environ | {"VYOMO_POSTGRES_URL": connections["postgres_url"]}
    # The child writes the link straight to our output: it passes through nothing that could keep it.
    program = [sys.executable, "-m", MODULE, "--url", str(status["url"])]
    return subprocess.run(program, env=environment, check=False).returncode  # noqa: S603 - no shell, our own program
