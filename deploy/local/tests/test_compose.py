import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nats
import pytest
from nats.aio.msg import Msg

from vyomo_local.state import project_folder
from vyomo_local.system import VYOMO
from vyomo_service_kit.embedded import EmbeddedNats
from vyomo_service_kit.embedded.nats import find_nats_server
from vyomo_service_kit.logins import LOGINS

SERVICES = (*VYOMO.services, *VYOMO.workers.values())
ENVIRONMENT = {
    "VYOMO_DATABASE_PASSWORD": "database",
    "VYOMO_NATS_PASSWORD": "bus",
    "VYOMO_SUBSCRIBER_PASSWORD": "listening",
    **{login.password_variable: f"password-of-{login.service}" for login in LOGINS},
}
NATS_CONFIGURATION = project_folder() / "deploy" / "nats" / "nats.conf"
SCRIPTS = Path(sys.executable).parent


def compose(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("docker-compose", path=str(SCRIPTS)) or shutil.which("docker-compose")
    if program is None:
        pytest.fail("docker-compose is in the dev group and should be installed")
    return subprocess.run(
        [program, "--file", project_folder() / "docker-compose.yml", "config", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **environment},
    )


@pytest.fixture(scope="module")
def configuration() -> dict[str, Any]:
    result = compose("--format", "json", **ENVIRONMENT)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_configuration_is_valid() -> None:
    result = compose("--quiet", **ENVIRONMENT)

    assert result.returncode == 0, result.stderr


def test_trial_needs_no_configuration() -> None:
    result = compose("--quiet")

    assert result.returncode == 0, result.stderr


def test_passwords_of_the_environment_replace_the_trial_ones() -> None:
    shown = compose("--format", "json", **ENVIRONMENT).stdout

    assert "only-for-a-trial" not in shown
    assert '"bus' in shown or "bus\\" in shown


def test_every_local_service_has_a_container(configuration: dict[str, Any]) -> None:
    for service in SERVICES:
        arguments = configuration["services"][service.name]["build"]["args"]
        assert arguments == {"SERVICE": service.name, "MODULE": service.module}


def test_only_loopback_is_published(configuration: dict[str, Any]) -> None:
    published = [
        port["host_ip"] for service in configuration["services"].values() for port in service.get("ports", [])
    ]

    assert published == ["127.0.0.1"]


def test_services_wait_for_schema_bus_and_database(configuration: dict[str, Any]) -> None:
    for service in SERVICES:
        conditions = {
            name: wait["condition"]
            for name, wait in configuration["services"][service.name]["depends_on"].items()
        }
        assert (
            conditions.items()
            >= {
                "migrate": "service_completed_successfully",
                "nats": "service_healthy",
                "postgres": "service_healthy",
            }.items()
        )
        # Who reads keys waits for them; the gateway through the job that writes the first API key beside them.
        assert ("/keys" in mounts(configuration, service.name)) == bool(
            conditions.keys() & {"keys", "provision"}
        )


def mounts(configuration: dict[str, Any], service: str) -> dict[str, tuple[str, bool]]:
    """Volume and whether it may be written, by target."""
    return {
        volume["target"]: (volume["source"], not volume.get("read_only", False))
        for volume in configuration["services"][service].get("volumes", [])
    }


def test_each_service_sees_its_own_keys_and_cannot_write_them(configuration: dict[str, Any]) -> None:
    assert mounts(configuration, "gateway") == {"/keys": ("gateway-keys", False)}
    for worker in ("paper-exchange", "broker-zerodha", "broker-angel"):
        assert mounts(configuration, worker) == {"/keys": ("worker-keys", False)}
    for service in ("order-router", "sync", "migrate"):
        assert mounts(configuration, service) == {}
    assert mounts(configuration, "provision") == {"/keys": ("gateway-keys", True)}


def test_keys_are_handed_out_once_and_to_those_who_need_them(
    configuration: dict[str, Any], tmp_path: Path
) -> None:
    shell, options, script = configuration["services"]["keys"]["command"]
    script = script.replace("$$", "$")
    targets = mounts(configuration, "keys")
    for target in targets:
        (tmp_path / target[1:]).mkdir()
        script = script.replace(target, str(tmp_path / target[1:]))

    contents: list[dict[str, dict[str, bytes]]] = []
    for _ in range(2):
        subprocess.run([shell, options, script], check=True, env={"PATH": f"{SCRIPTS}:{os.environ['PATH']}"})
        contents.append(
            {
                volume: {path.name: path.read_bytes() for path in (tmp_path / target[1:]).iterdir()}
                for target, (volume, _) in targets.items()
            }
        )

    first, second = contents
    assert first == second
    assert first["keys"].keys() == {"workers.key", "workers.pub", "api-key-pepper", "door-admin-key"}
    for volume, names in (
        ("worker-keys", ["workers.key"]),
        ("gateway-keys", ["workers.pub", "api-key-pepper"]),
    ):
        assert first[volume] == {name: first["keys"][name] for name in names}
    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("*/*")} == {0o600}


def test_each_service_logs_in_as_itself(configuration: dict[str, Any]) -> None:
    services = configuration["services"]
    users = {
        name: urlsplit(service["environment"]["VYOMO_POSTGRES_URL"])
        for name, service in services.items()
        if "VYOMO_POSTGRES_URL" in service.get("environment", {})
    }

    assert users.pop("migrate").username == "vyomo"
    assert users.pop("provision") == users["gateway"]
    assert {name: (url.username, url.password) for name, url in users.items()} == {
        login.service: (login.name, ENVIRONMENT[login.password_variable]) for login in LOGINS
    }
    for login in LOGINS:
        assert (
            services["migrate"]["environment"][login.password_variable]
            == ENVIRONMENT[login.password_variable]
        )
        assert "only-for" not in str(services[login.service])
        assert "database" not in services[login.service]["environment"]["VYOMO_POSTGRES_URL"]


class NatsOfCompose(EmbeddedNats):
    """The server with the containers' configuration, moved to free ports and a folder of ours."""

    def _configuration(self) -> str:
        text = NATS_CONFIGURATION.read_text()
        for theirs, ours in (
            ("server_name: vyomo", f'server_name: "{self.server_name}"'),
            ("port: 4222", f'listen: "127.0.0.1:{self.port}"'),
            ("http: 8222", f'http: "127.0.0.1:{self.monitor_port}"'),
            ('"/data"', json.dumps(str(self.directory / "jetstream"))),
            ("$VYOMO_NATS_PASSWORD", '"bus"'),
            ("$VYOMO_SUBSCRIBER_PASSWORD", '"listening"'),
        ):
            assert theirs in text
            text = text.replace(theirs, ours)
        return text


@pytest.fixture
def nats_of_compose(tmp_path: Path) -> Iterator[NatsOfCompose]:
    with NatsOfCompose(tmp_path / "nats") as server:
        yield server


async def test_subscriber_of_the_bus_hears_events_and_can_do_nothing_else(
    nats_of_compose: NatsOfCompose,
) -> None:
    refused: list[str] = []
    heard: asyncio.Queue[str] = asyncio.Queue()

    async def on_error(error: Exception) -> None:
        refused.append(str(error))

    async def on_message(message: Msg) -> None:
        await heard.put(message.subject)

    address = f"127.0.0.1:{nats_of_compose.port}"
    services = await nats.connect(f"nats://vyomo:bus@{address}")
    subscriber = await nats.connect(f"nats://subscriber:listening@{address}", error_cb=on_error)
    for subject in ("vyomo.v1.cmd.>", "vyomo.v1.evt.>"):
        await subscriber.subscribe(subject, cb=on_message)
    await subscriber.publish("vyomo.v1.cmd.order.place", b"forged")
    await subscriber.flush()
    for subject in ("vyomo.v1.cmd.order.place", "vyomo.v1.evt.paper.0"):
        await services.publish(subject, b"")

    assert await asyncio.wait_for(heard.get(), 5) == "vyomo.v1.evt.paper.0"
    assert len(refused) == 2
    assert all("permissions violation" in text.lower() for text in refused)
    await subscriber.close()
    await services.close()


@pytest.mark.parametrize("password", ["bus", "12345", "4e5"])
@pytest.mark.parametrize("variable", ["VYOMO_NATS_PASSWORD", "VYOMO_SUBSCRIBER_PASSWORD"])
def test_bus_accepts_its_configuration_with_any_password(variable: str, password: str) -> None:
    result = compose("--format", "json", **{**ENVIRONMENT, variable: password})
    given = json.loads(result.stdout)["services"]["nats"]["environment"]

    checked = subprocess.run(
        [find_nats_server(), "--config", NATS_CONFIGURATION, "-t"],
        capture_output=True,
        text=True,
        check=False,
        env=given,
    )

    assert checked.returncode == 0, checked.stderr
