"""The words of `./vyomo dead-letters`; what they do is tested where the router's program is."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Cli

pytestmark = pytest.mark.timeout(120)


def test_words_are_checked_before_anything_is_asked(cli: "Cli") -> None:
    not_running = cli.run("dead-letters", "list", "--json")
    no_number = cli.run("dead-letters", "replay", "all")
    nothing = cli.run("dead-letters")

    assert (not_running.returncode, not_running.stdout) == (3, "")
    assert "start it with" in not_running.stderr
    assert no_number.returncode == 2
    assert "a dead letter's id is a number, not 'all'" in no_number.stderr
    assert nothing.returncode == 2
