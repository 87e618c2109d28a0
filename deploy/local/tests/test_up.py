import os
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any, Protocol

import pytest

from vyomo_local.state import StateFolder, project_folder
from vyomo_service_kit.embedded import EmbeddedNats
from vyomo_service_kit.embedded.ports import LOOPBACK
from vyomo_service_kit.embedded.processes import ProcessRecord, wait_until

pytestmark = pytest.mark.timeout(120)


class Cli(Protocol):
    """What these tests use of the fixture."""

    state: StateFolder
    port: int

    def command(self, *arguments: str) -> list[str]: ...
    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]: ...
    def up(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]: ...
    def status(self) -> dict[str, Any]: ...
    def service(self, name: str) -> dict[str, Any]: ...
    def pids(self) -> list[int]: ...
    def mark(self, name: str) -> Path: ...


def test_detached_up_is_ready_when_it_returns_and_down_stops_in_order(cli: Cli) -> None:
    started = cli.up()

    assert started.returncode == 0, started.stdout + started.stderr
    url = f"http://{LOOPBACK}:{cli.port}"
    assert url in started.stdout
    with urllib.request.urlopen(url, timeout=5) as response:
        assert response.status == 200
    document = cli.status()
    assert document["running"] is True
    assert document["health"] == "ok"
    assert document["url"] == url
    assert document["ports"]["http"] == cli.port
    assert {service["name"] for service in document["services"]} == {
        "nats",
        "postgresql",
        "worker",
        "gateway",
    }
    records = [ProcessRecord.of(pid) for pid in cli.pids()]

    stopped = cli.run("down")

    assert stopped.returncode == 0
    assert not any(record.is_alive() for record in records if record)
    assert (cli.state.services / "stops").read_text().split() == ["gateway", "worker"]
    assert cli.run("status").returncode == 3


def test_key_is_private_and_printed(cli: Cli) -> None:
    assert cli.run("key").returncode == 3
    cli.up()

    result = cli.run("key")

    assert result.stdout == "vy_test_key\n"
    assert stat.S_IMODE(cli.state.root.stat().st_mode) == 0o700
    for path in (cli.state.api_key, cli.state.connections, *cli.state.keys.iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_url_for_events_is_printed_by_its_own_command_alone(cli: Cli) -> None:
    assert cli.run("events-url").returncode == 3
    cli.up()

    url = cli.run("events-url").stdout.strip()

    assert url.startswith("nats://subscriber:")
    assert url.endswith(f"@{LOOPBACK}:{cli.status()['ports']['nats']}")
    assert "subscriber" not in cli.run("status", "--json").stdout
    example = project_folder() / "examples" / "event_subscriber.py"
    with subprocess.Popen(
        [sys.executable, "-u", example],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "VYOMO_EVENTS_URL": url},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("listening on vyomo.v1.evt.>")
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == ""
        assert process.wait(10) == 0


def test_second_up_says_where_the_first_is(cli: Cli) -> None:
    cli.up()

    second = cli.up()

    assert second.returncode != 0
    assert f"http://{LOOPBACK}:{cli.port}" in second.stderr
    assert cli.status()["health"] == "ok"


def test_everything_killed_is_recovered_by_the_next_up(cli: Cli) -> None:
    cli.up()
    pids = cli.pids()

    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    again = cli.up()

    assert again.returncode == 0, again.stdout + again.stderr
    assert cli.status()["health"] == "ok"
    assert not set(pids) & set(cli.pids())


def test_children_die_with_a_killed_supervisor(cli: Cli) -> None:
    cli.up()
    supervisor, *children = cli.pids()
    records = [ProcessRecord.of(pid) for pid in children]

    os.kill(supervisor, signal.SIGKILL)

    assert wait_until(lambda: not any(record.is_alive() for record in records if record), timeout_seconds=10)
    assert cli.run("status").returncode == 3
    assert cli.up().returncode == 0


def test_stale_record_of_a_reused_pid_harms_nobody(cli: Cli) -> None:
    cli.state.create()
    mine = ProcessRecord.of(os.getpid())
    assert mine is not None
    for path in (cli.state.supervisor, cli.state.services / "worker.process"):
        ProcessRecord(mine.pid, "1", mine.boot).write(path)

    assert cli.up().returncode == 0


@pytest.mark.parametrize("victim", ["worker", "nats", "postgresql"])
def test_killed_unit_comes_back(cli: Cli, victim: str) -> None:
    cli.up()
    before = cli.service(victim)
    port = cli.status()["ports"]["nats"]

    os.kill(before["pid"], signal.SIGKILL)

    assert wait_until(lambda: cli.service(victim)["restarts"] == 1, timeout_seconds=10)
    assert wait_until(lambda: cli.status()["health"] == "ok", timeout_seconds=10)
    assert cli.service(victim)["pid"] != before["pid"]
    assert cli.status()["ports"]["nats"] == port


def test_silent_service_is_killed_and_restarted(cli: Cli) -> None:
    cli.up()
    before = cli.service("worker")["pid"]

    frozen = cli.mark("worker.frozen")

    assert wait_until(
        lambda: cli.service("worker")["restarts"] >= 1, timeout_seconds=15, interval_seconds=0.2
    )
    frozen.unlink()
    assert wait_until(lambda: cli.status()["health"] == "ok", timeout_seconds=15, interval_seconds=0.2)
    assert cli.service("worker")["pid"] != before


def test_notifications_of_a_stranger_are_not_believed(cli: Cli) -> None:
    cli.mark("worker.frozen")
    cli.up()
    pid = cli.service("worker")["pid"]
    variables = Path(f"/proc/{pid}/environ").read_text(encoding="utf-8").split("\0")
    address = next(text.partition("=")[2] for text in variables if text.startswith("NOTIFY_SOCKET="))

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger:
        deadline = time.monotonic() + 6
        while cli.service("worker")["restarts"] == 0 and time.monotonic() < deadline:
            stranger.sendto(b"WATCHDOG=1\nSTATUS=forged", f"\0{address[1:]}")
            assert cli.service("worker")["detail"] != "forged"

    assert cli.service("worker")["restarts"] >= 1


def test_failing_service_fails_the_start_and_shows_its_log(cli: Cli) -> None:
    cli.mark("worker.broken")

    result = cli.up()

    assert result.returncode == 1
    assert "worker" in result.stdout
    assert "configured to fail" in result.stdout
    assert cli.run("status").returncode == 3


def test_failing_migration_fails_the_start_and_shows_its_log(cli: Cli) -> None:
    result = cli.up(FAKE_MIGRATIONS="fake_migrations_failing")

    assert result.returncode == 1
    assert "the schema is too new" in result.stdout


def test_taken_port_is_replaced_with_a_warning(cli: Cli) -> None:
    with socket.create_server((LOOPBACK, cli.port)):
        result = cli.up()

    assert result.returncode == 0
    assert f"port {cli.port} is taken" in result.stdout
    assert cli.status()["ports"]["http"] != cli.port


def test_public_address_is_refused_without_insecure(cli: Cli) -> None:
    refused = cli.up("--host", "0.0.0.0")  # noqa: S104
    allowed = cli.up("--host", "0.0.0.0", "--insecure")  # noqa: S104

    assert refused.returncode == 2
    assert "--insecure" in refused.stderr
    assert allowed.returncode == 0


def test_foreground_up_drains_on_interrupt(cli: Cli) -> None:
    with subprocess.Popen(
        cli.command("up", "--port", str(cli.port)), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("Vyomo is running"):
                break
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()

        assert process.wait(20) == 0
    assert "stopped" in rest
    assert (cli.state.services / "stops").read_text().split() == ["gateway", "worker"]


def test_stubborn_service_is_killed_after_the_drain_limit(cli: Cli) -> None:
    cli.mark("worker.stubborn")
    cli.up()
    record = ProcessRecord.of(cli.service("worker")["pid"])
    assert record is not None

    assert cli.run("down").returncode == 0

    assert not record.is_alive()


def test_interrupted_start_leaves_nothing_running(cli: Cli) -> None:
    process = subprocess.Popen(cli.command("up", "--port", str(cli.port)), stdout=subprocess.DEVNULL)
    assert wait_until(lambda: cli.state.running_supervisor() is not None, timeout_seconds=10)

    process.send_signal(signal.SIGTERM)

    assert process.wait(20) == 1
    assert cli.run("status").returncode == 3
    assert cli.up().returncode == 0


def test_external_servers_are_used_instead_of_embedded_ones(
    cli: Cli, nats_url: str, empty_database_url: str
) -> None:
    result = cli.up("--nats", nats_url, "--postgres", empty_database_url)

    assert result.returncode == 0, result.stdout
    assert {service["name"] for service in cli.status()["services"]} == {"worker", "gateway"}
    assert not cli.state.postgres.exists()


def test_urls_are_in_no_command_line(cli: Cli, nats_server: EmbeddedNats, empty_database_url: str) -> None:
    file = cli.state.root.with_name("postgres-url")
    file.write_text(empty_database_url + "\n")

    result = cli.up("--nats", nats_server.url, "--postgres", f"@{file}")

    assert result.returncode == 0, result.stdout + result.stderr
    commands = [Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8") for pid in cli.pids()]
    assert "up" in commands[0].split("\0")
    assert not any(nats_server.url in text or empty_database_url in text for text in commands)
    assert not cli.state.postgres.exists()
    assert not cli.state.nats.exists()
    assert cli.run("events-url").returncode == 1


def test_urls_may_come_from_the_environment(cli: Cli, nats_url: str, empty_database_url: str) -> None:
    result = cli.up(VYOMO_NATS_URL=nats_url, VYOMO_POSTGRES_URL=empty_database_url)

    assert result.returncode == 0, result.stdout
    assert {service["name"] for service in cli.status()["services"]} == {"worker", "gateway"}


@pytest.mark.parametrize("content", [None, "", "two words"])
def test_file_without_a_url_is_refused(cli: Cli, content: str | None) -> None:
    file = cli.state.root.with_name("url")
    if content is not None:
        file.write_text(content)

    result = cli.up("--nats", f"@{file}")

    assert result.returncode == 2
    assert str(file) in result.stderr


def test_unreachable_bus_is_named_without_its_password(cli: Cli) -> None:
    result = cli.up("--nats", "nats://user:hidden@127.0.0.1:1")

    assert result.returncode == 1
    assert "127.0.0.1:1" in result.stdout
    assert "hidden" not in result.stdout


def test_doctor_finds_a_durable_running_system(cli: Cli) -> None:
    cli.up()

    result = cli.run("doctor", http_proxy="http://127.0.0.1:9")  # nobody there

    assert result.returncode == 0, result.stdout
    assert "sync_always" in result.stdout
    assert "data_checksums on" in result.stdout


def test_doctor_goes_on_when_one_thing_does_not_answer(cli: Cli) -> None:
    cli.up()
    nats = cli.service("nats")["pid"]
    os.kill(nats, signal.SIGSTOP)

    result = cli.run("doctor")

    os.kill(nats, signal.SIGCONT)
    assert "could not be checked" in result.stdout
    assert "data_checksums on" in result.stdout
    assert "gateway: serving" in result.stdout


def test_doctor_complains_about_a_readable_key(cli: Cli) -> None:
    cli.up()
    cli.state.api_key.chmod(0o644)

    result = cli.run("doctor")

    assert result.returncode == 1
    assert str(cli.state.api_key) in result.stdout


def test_logs_are_readable(cli: Cli) -> None:
    cli.up()

    result = cli.run("logs", "gateway")

    assert "service.ready" in result.stdout
    assert "{" not in result.stdout
    assert cli.run("logs", "nobody").returncode == 1
