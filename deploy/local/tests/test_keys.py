"""`./vyomo key new`, `list` and `revoke` over a running system."""

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Cli

pytestmark = pytest.mark.timeout(120)


def test_keys_are_made_listed_and_revoked(cli: "Cli") -> None:
    assert cli.run("key", "list").returncode == 3
    assert cli.up().returncode == 0

    made = cli.run("key", "new", "dashboard", "--scope", "read", "--days", "30")

    assert made.returncode == 0, made.stderr
    match = re.fullmatch(r"vy_live_([A-Za-z0-9]{8})_([A-Za-z0-9_-]{43})\n", made.stdout)
    assert match is not None
    key_id, secret = match.groups()
    assert "keep it now" in made.stderr
    listed = cli.run("key", "list").stdout
    assert re.search(rf"^{key_id}\s+dashboard\s+default_user\s+read\s.*\sactive$", listed, re.MULTILINE)
    revoked = cli.run("key", "revoke", key_id)
    assert (revoked.returncode, revoked.stderr) == (0, "")
    again = cli.run("key", "list").stdout
    assert re.search(rf"^{key_id}\s.*\srevoked$", again, re.MULTILINE)
    assert secret not in listed + again
    assert cli.run("key", "revoke", "nosuchid").returncode == 1
    other = cli.run("key", "new", "bot", "--scope", "trade", "--user", "asha")
    assert other.returncode == 0, other.stderr
    assert re.search(r"\sbot\s+asha\s+read,trade\s", cli.run("key", "list").stdout)
    wrong = cli.run("key", "new", "bot", "--scope", "trade", "--user", "as ha")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert cli.run("key").stdout == "vy_test_key\n"


def test_odd_names_and_the_local_key(cli: "Cli") -> None:
    assert cli.up().returncode == 0
    # After a "--" it is a name, whatever it looks like: it must not reach the next program as an option.
    command = [*cli.command(), "key", "new", "--scope=trade", "--", "--user=somebody"]
    made = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)
    assert made.returncode == 0, made.stderr
    (_, line) = cli.run("key", "list").stdout.splitlines()
    assert line.split()[1:4] == ["--user=somebody", "default_user", "read,trade"]

    cli.state.api_key.write_text(made.stdout)
    revoked = cli.run("key", "revoke", made.stdout.split("_")[2])

    assert revoked.returncode == 0
    assert revoked.stderr.startswith("that was the local key: the next ")
