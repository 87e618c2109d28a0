"""`./vyomo sandbox` where there is nothing to ask."""

from pathlib import Path

import pytest

from vyomo_local.cli import main


def test_system_that_does_not_run_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = tmp_path / "state"

    assert main(["--state", str(state), "sandbox", "kite", "--account", "1"]) == 3

    assert "Vyomo is not running" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["fix"], ["kite"], ["kite", "--account", "one"]])
def test_usage_is_told(tmp_path: Path, words: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--state", str(tmp_path), "sandbox", *words])

    assert end.value.code == 2
