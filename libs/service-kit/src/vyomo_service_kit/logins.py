"""One PostgreSQL login a service, for installations where the services trust each other less than one URL for all would say.

    VYOMO_GATEWAY_PASSWORD=... (and so on) python -m vyomo_service_kit.logins --postgres URL

Run it after the migrations, as the user who ran them; it may be repeated and then sets the passwords anew. A login owns nothing and
inherits nothing: it can only become the group role of its service, which is what the services do when they connect.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg

# "login" in ASCII; two runners at once would otherwise change one role at once, which PostgreSQL refuses.
_LOCK_KEY: Final = 0x6C6F67696E


class MissingPasswordsError(Exception):
    def __init__(self, variables: Sequence[str]) -> None:
        self.variables = tuple(variables)
        super().__init__(f"no password in {', '.join(variables)}")


@dataclass(frozen=True, slots=True)
class Login:
    service: str
    role: str

    @property
    def name(self) -> str:
        return f"vyomo_login_{self.service.replace('-', '_')}"

    @property
    def password_variable(self) -> str:
        return f"VYOMO_{self.service.replace('-', '_').upper()}_PASSWORD"


LOGINS: Final = (
    Login("gateway", "vyomo_gateway"),
    Login("order-router", "vyomo_router"),
    Login("paper-exchange", "vyomo_worker"),
    Login("sync", "vyomo_sync"),
    Login("broker-zerodha", "vyomo_worker"),
    Login("broker-angel", "vyomo_worker"),
)


async def make_logins(url: str, environment: Mapping[str, str]) -> None:
    """Make each login, or give it the password that the environment has now.

    Raises:
        MissingPasswordsError: nothing was changed.
    """
    missing = [login.password_variable for login in LOGINS if not environment.get(login.password_variable)]
    if missing:
        raise MissingPasswordsError(missing)
    connection = await asyncpg.connect(url, timeout=30)
    try:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK_KEY)
            for login in LOGINS:
                await _make(connection, login, environment[login.password_variable])
    finally:
        await connection.close(timeout=10)


async def _make(connection: asyncpg.Connection, login: Login, password: str) -> None:
    known = await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", login.name)
    # Role commands take no parameters, so the server itself quotes the password.
    quoted = await connection.fetchval("SELECT quote_literal($1::text)", password)
    verb = "ALTER" if known else "CREATE"
    await connection.execute(f"{verb} ROLE {login.name} LOGIN NOINHERIT PASSWORD {quoted}")
    await connection.execute(f"GRANT {login.role} TO {login.name}")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m vyomo_service_kit.logins",
        description="Make a PostgreSQL login for each service; the passwords are in "
        + ", ".join(login.password_variable for login in LOGINS),
    )
    parser.add_argument(
        "--postgres",
        metavar="URL",
        default=os.environ.get("VYOMO_POSTGRES_URL"),
        help="the database, as the user who migrates it (default: VYOMO_POSTGRES_URL)",
    )
    options = parser.parse_args(arguments)
    if not options.postgres:
        parser.error("--postgres URL (or VYOMO_POSTGRES_URL) is needed")
    try:
        asyncio.run(make_logins(str(options.postgres), os.environ))
    except MissingPasswordsError as error:
        parser.error(str(error))
    sys.stdout.write(f"{len(LOGINS)} login(s) ready\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
