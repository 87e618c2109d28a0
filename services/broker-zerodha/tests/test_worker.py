"""The whole worker over the real record and bus: sealed credentials, a login by request token, an order, the session's end, a new login."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from vyomo_broker_kit.limits import ReconcileLimits
from vyomo_broker_kit.testing.parrot import serving
from vyomo_broker_zerodha.bootstrap import broker_zerodha
from vyomo_broker_zerodha.settings import ZerodhaSettings
from vyomo_broker_zerodha.testing import TinyKite
from vyomo_contracts import subjects
from vyomo_contracts.messages import Principal
from vyomo_contracts.orders import Order
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.session_commands import (
    AskLoginPage,
    AskLoginPages,
    SealedInput,
    SessionReplies,
    SessionReply,
    SignInAccount,
    SignInAccounts,
)
from vyomo_contracts.sessions import SessionState
from vyomo_contracts.vocabulary import Broker, Environment, OrderState
from vyomo_ledger.testing import OTHER_USER, USER, RecordWorld, create_account, record_world
from vyomo_service_kit.sealing import PUBLIC_KEY_FILE, Sealer, SecretPlace, ensure_keys
from vyomo_service_kit.testing import eventually

OFTEN = ReconcileLimits(read_gap_seconds=0.1, working_seconds=0.2, positions_seconds=0.5, burst_seconds=0.1)
STATE = "s" * 43


@dataclass
class Desk:
    """A user with a sandbox account at Zerodha, and the worker that serves it."""

    world: RecordWorld
    kite: TinyKite
    sealer: Sealer
    account: int

    def sealed(self, field: str, secret: str, *, client_id: str = "AB1234") -> str:
        return self.sealer.seal(SecretStr(secret), SecretPlace(USER, Broker.ZERODHA, client_id, field))

    def _head(self, kind: type[Any]) -> dict[str, Any]:
        identifier = self.world.identifiers.message_id()
        return {
            "id": identifier,
            "type": kind.TYPE,
            "time": self.world.clock.now(),
            "correlation_id": identifier,
            "source": "test",
        }

    async def login_page(self, *, user: str = USER) -> SessionReply:
        asked = AskLoginPage(
            principal=Principal(user_id=user, key_id="k"), account_id=self.account, state=STATE
        )
        message = AskLoginPages(**self._head(AskLoginPages), items=(asked,))
        subject = subjects.login_page(Broker.ZERODHA, 0)
        return (await self.world.bus.request(subject, message, SessionReplies, timeout_seconds=5)).items[0]

    async def sign_in(self, request_token: str, **other: str) -> SessionReply:
        command = SignInAccount(
            principal=Principal(user_id=USER, key_id="k"),
            account_id=self.account,
            inputs=(
                SealedInput(field="requestToken", sealed=self.sealed("requestToken", request_token, **other)),
            ),
        )
        message = SignInAccounts(**self._head(SignInAccounts), items=(command,))
        subject = subjects.sign_in(Broker.ZERODHA, 0)
        return (await self.world.bus.request(subject, message, SessionReplies, timeout_seconds=5)).items[0]

    async def place(self) -> Order:
        order = self.world.order(
            self.account, broker=Broker.ZERODHA, order_id=self.world.identifiers.order_id("zerodha")
        )
        await self.world.ledger.accept([self.world.new(order)])
        return order

    async def until(self, order: Order, state: OrderState) -> Order:
        async def reached() -> bool:
            return (await self.world.stored(order.order_id)).state is state

        await eventually(reached, timeout=10)
        return await self.world.stored(order.order_id)

    async def session(self) -> SessionState:
        (row,) = await self.world.rows(
            "SELECT state FROM accounts.broker_sessions WHERE account_id = $1", self.account
        )
        return SessionState(row["state"])


@asynccontextmanager
async def desk(
    database_url: str,
    nats_url: str,
    folder: Path,
    environment: Environment,
    *,
    has_sandbox: bool = True,
) -> AsyncGenerator[Desk]:
    ensure_keys(folder)
    sealer = Sealer((folder / PUBLIC_KEY_FILE).read_bytes())
    async with (
        record_world(database_url, nats_url, role="vyomo", partitions=1, brokers=(Broker.ZERODHA,)) as world,
        serving(TinyKite(api_key="apikey", api_secret="canary-secret")) as kite,
    ):
        account = await create_account(
            world.database, user_id=USER, client_id="AB1234", broker=Broker.ZERODHA, signed_in=False
        )
        opened = Desk(world, kite, sealer, account)
        await world.rows(
            "UPDATE accounts.broker_accounts SET environment = $2, api_key = $3, api_secret = $4 WHERE id = $1",
            account,
            environment,
            opened.sealed("apiKey", "apikey"),
            opened.sealed("apiSecret", "canary-secret"),
        )
        settings = ZerodhaSettings(
            nats_url=SecretStr(nats_url),
            postgres_url=SecretStr(database_url),
            keys_dir=folder,
            partitions=1,
            kite_url="http://127.0.0.1:9",  # nobody: tests talk to this machine alone
            sandbox_kite_url=kite.url if has_sandbox else None,
        )
        async with broker_zerodha(settings, reconcile=OFTEN):
            yield opened


@pytest.fixture
async def sandbox(database_url: str, nats_url: str, tmp_path: Path) -> AsyncGenerator[Desk]:
    async with desk(database_url, nats_url, tmp_path / "keys", Environment.SANDBOX) as opened:
        yield opened


async def test_from_login_to_order_to_the_sessions_end_and_a_new_login(sandbox: Desk) -> None:
    page = await sandbox.login_page()
    assert page.login_url is not None
    assert page.login_url.startswith(
        f"{sandbox.kite.url}/connect/login?v=3&api_key=apikey&redirect_params=state%3D"
    )

    waiting = await sandbox.place()
    reply = await sandbox.sign_in(sandbox.kite.request_token())
    assert reply.problem is None
    assert reply.session is not None
    assert reply.session.state is SessionState.ACTIVE
    assert reply.session.opened_at is not None
    # What waited for the login goes, once the books were read.
    filled = await sandbox.until(waiting, OrderState.FILLED)
    assert filled.filled_quantity == waiting.quantity
    assert len(sandbox.kite.orders) == 1

    async def is_held() -> bool:
        rows = await sandbox.world.rows("SELECT quantity FROM accounts.positions WHERE symbol = 'RELIANCE'")
        return [row["quantity"] for row in rows] == [waiting.quantity]

    await eventually(is_held)

    sandbox.kite.end_sessions()

    async def is_over() -> bool:
        return await sandbox.session() is SessionState.EXPIRED

    await eventually(is_over)
    later = await sandbox.place()
    assert (await sandbox.sign_in(sandbox.kite.request_token())).problem is None
    await sandbox.until(later, OrderState.FILLED)
    assert len(sandbox.kite.orders) == 2


async def test_nothing_of_a_login_is_kept_in_the_clear(sandbox: Desk) -> None:
    await sandbox.sign_in(sandbox.kite.request_token())

    (row,) = await sandbox.world.rows("SELECT * FROM accounts.broker_accounts WHERE id = $1", sandbox.account)
    assert row["access_token"].startswith("vys1.")
    clear = [sandbox.kite.access_tokens[-1], "canary-secret", "apikey"]
    everything = " ".join(str(value) for value in row.values())
    assert not [each for each in clear if each in everything]


async def test_request_token_is_good_once(sandbox: Desk) -> None:
    token = sandbox.kite.request_token()
    first, again = await sandbox.sign_in(token), await sandbox.sign_in(token)

    assert first.problem is None
    assert again.problem is not None
    assert again.problem.code is ReasonCode.SIGN_IN_REFUSED
    assert "TokenException" in again.problem.message
    assert token not in again.problem.message
    # The first session goes on.
    assert await sandbox.session() is SessionState.ACTIVE


async def test_what_was_sealed_for_another_account_opens_nothing(sandbox: Desk) -> None:
    reply = await sandbox.sign_in(sandbox.kite.request_token(), client_id="ZZ9999")

    assert reply.problem is not None
    assert reply.problem.code is ReasonCode.CREDENTIALS_UNREADABLE
    assert sandbox.kite.access_tokens == []


async def test_accounts_of_others_do_not_exist(sandbox: Desk) -> None:
    reply = await sandbox.login_page(user=OTHER_USER)

    assert reply.problem is not None
    assert reply.problem.code is ReasonCode.ACCOUNT_NOT_FOUND


async def test_broker_down_or_talking_nonsense_is_told_and_can_be_tried_again(sandbox: Desk) -> None:
    sandbox.kite.nonsense = b"<html>bad gateway</html>"
    reply = await sandbox.sign_in(sandbox.kite.request_token())
    assert reply.problem is not None
    assert reply.problem.code is ReasonCode.BROKER_UNREACHABLE

    sandbox.kite.nonsense = None
    assert (await sandbox.sign_in(sandbox.kite.request_token())).problem is None


async def test_late_refusal_of_an_earlier_session_does_not_end_the_one_that_followed(sandbox: Desk) -> None:
    await sandbox.sign_in(sandbox.kite.request_token())
    sandbox.kite.hold_reads()
    await eventually(lambda: sandbox.kite.held > 0)
    sandbox.kite.end_sessions()
    assert (await sandbox.sign_in(sandbox.kite.request_token())).problem is None
    sandbox.kite.let_go()

    order = await sandbox.place()
    await sandbox.until(order, OrderState.FILLED)

    assert await sandbox.session() is SessionState.ACTIVE


async def test_live_account_is_sent_to_zerodha_itself(
    database_url: str, nats_url: str, tmp_path: Path
) -> None:
    async with desk(database_url, nats_url, tmp_path / "keys", Environment.LIVE) as opened:
        page = await opened.login_page()

    assert page.login_url is not None
    assert page.login_url.startswith("https://kite.zerodha.com/connect/login?")


async def test_installation_without_a_sandbox_says_so(
    database_url: str, nats_url: str, tmp_path: Path
) -> None:
    folder = tmp_path / "keys"
    async with desk(database_url, nats_url, folder, Environment.SANDBOX, has_sandbox=False) as opened:
        page = await opened.login_page()

    assert page.problem is not None
    assert page.problem.code is ReasonCode.SANDBOX_NOT_RUNNING
