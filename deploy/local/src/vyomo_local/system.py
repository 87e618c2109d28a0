"""What `./vyomo up` runs, as data: the steps before the services and the services themselves."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vyomo_local.state import StateFolder
from vyomo_local.units import ServiceDefinition

DEFAULT_HTTP_PORT = 3011
DEFAULT_KITE_DOOR_PORT = 3012
DEFAULT_SMARTAPI_DOOR_PORT = 3013
DEFAULT_NATS_PORT = 4222
DEFAULT_NATS_MONITOR_PORT = 8222
_KEY_FILES = ("workers.key", "workers.pub", "api-key-pepper", "door-admin-key")
_DEFAULT_USER = "default_user"


@dataclass(frozen=True, slots=True)
class ServiceModule:
    name: str
    module: str


@dataclass(frozen=True, slots=True)
class System:
    """Modules are run with `python -m`; services stop in the reverse of this order, so what takes requests is last."""

    services: Sequence[ServiceModule]
    keys_module: str
    migrations_module: str
    provision_module: str
    workers: Mapping[str, ServiceModule] = field(default_factory=dict[str, ServiceModule])
    """By broker; each starts with the first account of its broker."""

    def keys_command(self, state: StateFolder) -> Sequence[str] | None:
        """None when all keys exist: the command costs a quarter of a second of imports."""
        if all((state.keys / name).exists() for name in _KEY_FILES):
            return None
        return (sys.executable, "-m", self.keys_module, "--keys-dir", str(state.keys))

    def migrations_command(self) -> Sequence[str]:
        return (sys.executable, "-m", self.migrations_module)

    def provision_command(self, key_file: Path) -> Sequence[str]:
        return (
            sys.executable,
            "-m",
            self.provision_module,
            "--user",
            _DEFAULT_USER,
            "--key-file",
            str(key_file),
        )

    def definitions(self, environment: Mapping[str, str]) -> list[ServiceDefinition]:
        return [
            ServiceDefinition.module(service.name, service.module, environment) for service in self.services
        ]


VYOMO = System(
    services=(
        ServiceModule("paper-exchange", "vyomo_paper_exchange"),
        ServiceModule("order-router", "vyomo_order_router"),
        ServiceModule("sync", "vyomo_sync"),
        ServiceModule("gateway", "vyomo_gateway"),
    ),
    keys_module="vyomo_service_kit.sealing",
    migrations_module="vyomo_service_kit.migrations",
    provision_module="vyomo_gateway.provision",
    workers={
        "zerodha": ServiceModule("broker-zerodha", "vyomo_broker_zerodha"),
        "angel": ServiceModule("broker-angel", "vyomo_broker_angel"),
    },
)
