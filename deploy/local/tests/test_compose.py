import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from vyomo_local.state import project_folder
from vyomo_local.system import VYOMO
from vyomo_service_kit.embedded.nats import find_nats_server

ENVIRONMENT = {"VYOMO_DATABASE_PASSWORD": "database", "VYOMO_NATS_PASSWORD": "bus"}
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
    for service in VYOMO.services:
        arguments = configuration["services"][service.name]["build"]["args"]
        assert arguments == {"SERVICE": service.name, "MODULE": service.module}


def test_only_loopback_is_published(configuration: dict[str, Any]) -> None:
    published = [
        port["host_ip"] for service in configuration["services"].values() for port in service.get("ports", [])
    ]

    assert published == ["127.0.0.1"]


def test_services_wait_for_schema_bus_and_database(configuration: dict[str, Any]) -> None:
    for service in VYOMO.services:
        conditions = {
            name: wait["condition"]
            for name, wait in configuration["services"][service.name]["depends_on"].items()
        }
        assert conditions == {
            "migrate": "service_completed_successfully",
            "nats": "service_healthy",
            "postgres": "service_healthy",
        }


@pytest.mark.parametrize("password", ["bus", "12345", "4e5"])
def test_bus_accepts_its_configuration_with_any_password(password: str) -> None:
    result = compose("--format", "json", **{**ENVIRONMENT, "VYOMO_NATS_PASSWORD": password})
    given = json.loads(result.stdout)["services"]["nats"]["environment"]["VYOMO_NATS_PASSWORD"]

    checked = subprocess.run(
        [find_nats_server(), "--config", project_folder() / "deploy" / "nats" / "nats.conf", "-t"],
        capture_output=True,
        text=True,
        check=False,
        env={"VYOMO_NATS_PASSWORD": given},
    )

    assert checked.returncode == 0, checked.stderr
