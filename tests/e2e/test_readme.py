"""The README's first order, run by a shell as a reader would paste it."""

import re
import subprocess
from pathlib import Path

from tests.e2e.conftest import PROJECT, System

_BLOCK = re.compile(r"## Your first order.*?```sh\n(.*?)```", re.DOTALL)


def lines_of_the_readme() -> str:
    found = _BLOCK.search((PROJECT / "README.md").read_text())
    assert found is not None
    return found[1]


def run(script: str, folder: Path) -> str:
    command = ["sh", "-euc", script]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=True).stdout


def test_first_order_of_the_readme_works_as_it_is_written(system: System) -> None:
    script = lines_of_the_readme()
    # Another state folder, another port, and on a system that has accounts already.
    script = script.replace("./vyomo key", f"echo {system.key}").replace("http://127.0.0.1:3011", system.url)
    script = script.replace("DEMO123", "README1")
    creation, rest = script.split("# Your accounts", 1)

    created = run(creation, PROJECT)
    account = re.search(r'"id":(\d+)', created)
    assert account is not None, created
    setting = creation.split("# A paper account", 1)[0]
    told = run(setting + "#" + rest.replace("accounts/1/", f"accounts/{account[1]}/"), PROJECT)

    assert '"success":false' not in created + told
    assert told.count('"success":true') == 7
    assert "Order cancelled successfully" in told
    assert "Positions synced successfully" in told
