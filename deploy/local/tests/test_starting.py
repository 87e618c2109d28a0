"""What is said while the system starts, and why when it cannot."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from vyomo_local.state import StateFolder
from vyomo_service_kit.embedded.processes import wait_until

if TYPE_CHECKING:
    from conftest import Cli

pytestmark = pytest.mark.timeout(240)


def test_system_is_not_healthy_before_all_of_it_is_there(cli: "Cli") -> None:
    slow = cli.mark("worker.slow")
    with subprocess.Popen(cli.command("up", "--port", str(cli.port)), stdout=subprocess.DEVNULL):
        assert wait_until(lambda: cli.run("status").returncode == 1, timeout_seconds=40)
        assert wait_until(
            lambda: any(each["name"] == "gateway" and each["healthy"] for each in cli.status()["services"]),
            timeout_seconds=40,
        )
        early = cli.run("status")
        second = cli.up()
        slow.unlink()

        assert (early.returncode, "is starting" in early.stdout) == (1, True)
        assert (second.returncode, "still starting" in second.stderr) == (4, True)
        assert wait_until(lambda: cli.run("status").returncode == 0, timeout_seconds=40)
        assert cli.run("down").returncode == 0


def test_port_of_a_start_that_is_not_over_is_not_chosen_by_another(cli: "Cli") -> None:
    slow = cli.mark("gateway.slow")
    other = replace(cli, state=StateFolder(cli.state.root.with_name("another state")))
    with subprocess.Popen(cli.command("up", "--port", str(cli.port)), stdout=subprocess.DEVNULL):
        assert wait_until(lambda: cli.status()["url"] is not None, timeout_seconds=40)
        started = other.up()
        slow.unlink()

        try:
            assert started.returncode == 0, started.stdout
            assert f"port {cli.port} is taken" in started.stdout
            assert wait_until(lambda: cli.run("status").returncode == 0, timeout_seconds=40)
            assert cli.status()["ports"]["http"] == cli.port
        finally:
            other.run("down")
            cli.run("down")


def test_one_interrupt_heard_twice_is_one(cli: "Cli") -> None:
    with subprocess.Popen(
        cli.command("up", "--port", str(cli.port)), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("Vyomo is running"):
                break
        for _ in range(2):
            process.send_signal(signal.SIGINT)
            time.sleep(0.02)

        assert "stopped" in process.stdout.read()
        assert process.wait(20) == 0


def test_interrupt_before_there_is_a_command_shows_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "argparse.py").write_text(
        "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(10)\n"
    )

    result = subprocess.run(
        [sys.executable, "-m", "vyomo_local", "status"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (result.returncode, result.stderr) == (-signal.SIGINT, "")


def test_address_of_another_machine_is_named(cli: "Cli") -> None:
    result = cli.up("--host", "192.0.2.1", "--insecure")

    assert result.returncode == 1
    assert f"cannot listen on 192.0.2.1 port {cli.port}: " in result.stdout


def test_port_that_cannot_be_one_is_named(cli: "Cli") -> None:
    result = cli.up("--nats", "nats://user:hidden@127.0.0.1:99999")

    assert result.returncode == 1
    assert "cannot reach 127.0.0.1:99999" in result.stdout
    assert "hidden" not in result.stdout


def test_unreachable_database_is_one_sentence(cli: "Cli") -> None:
    result = cli.up("--postgres", "postgresql://user:hidden@127.0.0.1:1/vyomo")

    assert result.returncode == 1
    assert "cannot connect to PostgreSQL" in result.stdout
    assert "Traceback" not in result.stdout
    assert "hidden" not in result.stdout


def test_fault_of_ours_is_shown_in_the_background_too(cli: "Cli") -> None:
    result = cli.up(FAKE_BUG="something nobody thought of")

    assert result.returncode == 1
    assert "something nobody thought of" in result.stdout


def test_hints_name_the_launcher_as_it_was_called(cli: "Cli") -> None:
    result = cli.run("status", VYOMO_COMMAND="../the project/vyomo")

    assert f"'../the project/vyomo' --state '{cli.state.root}' up" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("logs", "-n", "-5"), "'-5'"),
        (("logs", "-n", "x"), "'x'"),
        (("up", "--port", "abc"), "between 1 and 65535"),
        (("up", "--port", "65536"), "between 1 and 65535"),
    ],
)
def test_wrong_number_is_refused_in_words(cli: "Cli", arguments: tuple[str, ...], said: str) -> None:
    result = cli.run(*arguments)

    assert result.returncode == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_services_that_end_are_announced_with_their_return(cli: "Cli") -> None:
    cli.up()

    os.kill(cli.service("worker")["pid"], signal.SIGKILL)

    log = StateFolder(cli.state.root).logs / "supervisor.log"
    assert wait_until(lambda: "! worker: ready again" in log.read_text(), timeout_seconds=10)


def test_services_are_looked_after_on_a_full_disk(cli: "Cli") -> None:
    started = cli.up(FAKE_FULL_DISK="yes")
    assert started.returncode == 0, started.stdout

    os.kill(cli.service("worker")["pid"], signal.SIGKILL)

    assert wait_until(lambda: cli.service("worker")["restarts"] == 1, timeout_seconds=40)
    assert wait_until(lambda: cli.status()["health"] == "ok", timeout_seconds=40)
