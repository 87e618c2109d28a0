import base64
import hashlib
import hmac
from collections.abc import AsyncGenerator

import asyncpg
import pytest
import pytest_asyncio

from vyomo_service_kit.database import open_database
from vyomo_service_kit.logins import LOGINS, Login, MissingPasswordsError, make_logins
from vyomo_service_kit.migrations import GROUP_ROLES

PASSWORDS = {login.password_variable: f"of '{login.service}' \\ $$" for login in LOGINS}
BY_SERVICE = {login.service: login for login in LOGINS}


def url_of(login: Login, url: str) -> str:
    return url.replace("//vyomo@", f"//{login.name}@")


@pytest_asyncio.fixture
async def with_logins(database_url: str) -> AsyncGenerator[str]:
    await make_logins(database_url, PASSWORDS)
    yield database_url
    superuser = await asyncpg.connect(database_url)
    for login in LOGINS:  # roles outlive the test's database
        await superuser.execute(f"DROP ROLE IF EXISTS {login.name}")
    await superuser.close()


def matches(verifier: str, password: str) -> bool:
    """Whether this is what PostgreSQL keeps of the password (RFC 5803)."""
    _, counted, keys = verifier.split("$")
    rounds, salt = counted.split(":")
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), int(rounds))
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    return base64.b64decode(keys.split(":")[0]) == stored


@pytest.mark.parametrize("login", LOGINS, ids=lambda login: login.service)
async def test_login_becomes_its_own_role_and_no_other(with_logins: str, login: Login) -> None:
    url = url_of(login, with_logins)

    async with (
        open_database(url, role=login.role, application="test") as database,
        database.connection() as connection,
    ):
        who = await connection.fetchrow("SELECT session_user, current_user")
    assert who is not None
    assert tuple(who) == (login.name, login.role)

    for other in {*GROUP_ROLES, "vyomo"} - {login.role}:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(url, server_settings={"role": other})
        connection = await asyncpg.connect(url, server_settings={"role": login.role})
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(f"SET ROLE {other}")
        await connection.close()


@pytest.mark.parametrize("column", ["api_key", "api_secret", "password", "totp_secret", "access_token"])
async def test_gateway_cannot_read_the_brokers_credentials(with_logins: str, column: str) -> None:
    url = url_of(BY_SERVICE["gateway"], with_logins)
    connection = await asyncpg.connect(url, server_settings={"role": "vyomo_gateway"})

    assert await connection.fetch("SELECT id FROM accounts.broker_accounts") == []
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.fetch(f"SELECT {column} FROM accounts.broker_accounts")
    await connection.execute("SET ROLE NONE")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.fetch("SELECT id FROM accounts.broker_accounts")
    await connection.close()


async def test_passwords_are_set_and_set_anew(with_logins: str) -> None:
    changed = {**PASSWORDS, "VYOMO_SYNC_PASSWORD": "another"}

    await make_logins(with_logins, changed)

    superuser = await asyncpg.connect(with_logins)
    rows = await superuser.fetch("SELECT rolname, rolpassword, rolsuper, rolinherit FROM pg_authid")
    await superuser.close()
    known = {row["rolname"]: row for row in rows}
    for login in LOGINS:
        row = known[login.name]
        assert matches(row["rolpassword"], changed[login.password_variable])
        assert (row["rolsuper"], row["rolinherit"]) == (False, False)


async def test_missing_passwords_are_named_and_nothing_is_made(database_url: str) -> None:
    given = {**PASSWORDS, "VYOMO_GATEWAY_PASSWORD": ""}
    del given["VYOMO_SYNC_PASSWORD"]

    with pytest.raises(MissingPasswordsError) as caught:
        await make_logins(database_url, given)

    assert caught.value.variables == ("VYOMO_GATEWAY_PASSWORD", "VYOMO_SYNC_PASSWORD")
    superuser = await asyncpg.connect(database_url)
    names = [login.name for login in LOGINS]
    assert not await superuser.fetchval("SELECT count(*) FROM pg_roles WHERE rolname = any($1)", names)
    await superuser.close()
