"""Signing in at brokers: where the browser goes, what it may bring back and how often, and that nothing secret is seen on the way."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
import pytest_asyncio
from nats.aio.msg import Msg

from vyomo_contracts import subjects
from vyomo_contracts.messages import Problem
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.session_commands import (
    AskLoginPage,
    AskLoginPages,
    SessionReplies,
    SessionReply,
    SignInAccount,
    SignInAccounts,
)
from vyomo_contracts.sessions import BrokerSession, SessionState
from vyomo_contracts.vocabulary import Broker
from vyomo_ledger.testing import USER, create_account
from vyomo_service_kit.sealing import PRIVATE_KEY_FILE, Opener, SecretPlace

if TYPE_CHECKING:
    from conftest import Edge

CALLBACK = "/api/brokers/zerodha/callback"
BROWSER = {"Accept": "text/html,application/xhtml+xml", "Authorization": ""}


@dataclass
class Worker:
    """Answers for the account's worker; what it was sent is kept."""

    edge: "Edge"
    account: int
    pages: list[AskLoginPage] = field(default_factory=list[AskLoginPage])
    sign_ins: list[SignInAccount] = field(default_factory=list[SignInAccount])
    raw: list[bytes] = field(default_factory=list[bytes])
    refusal: Problem | None = None

    @property
    def path(self) -> str:
        return f"/api/brokers/accounts/{self.account}/login"

    async def start(self) -> None:
        client = self.edge.world.bus.client
        partition = self.account % 1
        await client.subscribe(subjects.login_page("zerodha", partition), cb=self._page)
        await client.subscribe(subjects.sign_in("zerodha", partition), cb=self._sign_in)
        await self.edge.world.bus.until_subscribed()

    async def state(self) -> str:
        """Of a login that was begun."""
        assert (await self.edge.client.get(self.path)).status_code == 200
        return self.pages[-1].state

    def opened(self, place: int = 0) -> dict[str, str]:
        opener = Opener((self.edge.keys_dir / PRIVATE_KEY_FILE).read_bytes())
        return {
            each.field: opener.open(
                each.sealed, SecretPlace(USER, "zerodha", "AB1234", each.field)
            ).get_secret_value()
            for each in self.sign_ins[place].inputs
        }

    async def _page(self, message: Msg) -> None:
        (item,) = AskLoginPages.model_validate_json(message.data).items
        self.pages.append(item)
        url = f"https://kite.zerodha.com/connect/login?v=3&redirect_params=state%3D{item.state}"
        await self._answer(message, SessionReply(login_url=url))

    async def _sign_in(self, message: Msg) -> None:
        self.raw.append(message.data)
        (item,) = SignInAccounts.model_validate_json(message.data).items
        self.sign_ins.append(item)
        now = self.edge.world.clock.now()
        session = BrokerSession(
            account_id=item.account_id,
            user_id=item.principal.user_id,
            broker=Broker.ZERODHA,
            state=SessionState.ACTIVE,
            valid_until=now + timedelta(hours=5),
            updated_at=now,
        )
        await self._answer(message, SessionReply(session=session))

    async def _answer(self, message: Msg, reply: SessionReply) -> None:
        item = reply if self.refusal is None else SessionReply(problem=self.refusal)
        replies = SessionReplies(**self.edge.behind.reply_head(SessionReplies), items=(item,))
        await message.respond(replies.model_dump_json().encode())


@pytest_asyncio.fixture
async def worker(edge: "Edge") -> AsyncGenerator[Worker]:
    account = await create_account(
        edge.world.database, user_id=USER, client_id="AB1234", broker=Broker.ZERODHA, signed_in=False
    )
    standing_in = Worker(edge, account)
    await standing_in.start()
    yield standing_in


async def as_owner(edge: "Edge", statement: str, *values: object) -> None:
    connection = await asyncpg.connect(edge.postgres_url)
    await connection.execute(statement, *values)
    await connection.close()


def code_of(answer: Any) -> str:
    return answer.json()["error"]["code"]


async def test_login_goes_to_the_broker_and_comes_back_signed_in(worker: Worker) -> None:
    answer = await worker.edge.client.get(worker.path)

    assert answer.status_code == 200
    state = worker.pages[0].state
    assert answer.json()["loginUrl"].endswith(state)
    assert len(state) == 43
    back = await worker.edge.client.get(
        CALLBACK,
        params={
            "action": "login",
            "type": "login",
            "status": "success",
            "request_token": "canary-1",
            "state": state,
        },
        headers={"Authorization": ""},
    )
    assert back.status_code == 200
    assert back.json()["accountId"] == worker.account
    assert back.json()["session"]["state"] == "ACTIVE"
    assert worker.opened() == {"requestToken": "canary-1"}
    assert worker.sign_ins[0].principal.user_id == USER
    assert b"canary-1" not in b"".join(worker.raw)


async def test_browsers_go_on_to_the_dashboard_and_take_nothing_secret_along(worker: Worker) -> None:
    params = {"status": "success", "request_token": "canary-2", "state": await worker.state()}

    good = await worker.edge.client.get(CALLBACK, params=params, headers=BROWSER)
    again = await worker.edge.client.get(CALLBACK, params=params, headers=BROWSER)

    assert (good.status_code, again.status_code) == (303, 303)
    assert good.headers["location"] == f"/broker-management?connected={worker.account}"
    assert again.headers["location"].startswith("/broker-management?error=LOGIN_STATE_INVALID&message=")
    for answer in (good, again):
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert "canary-2" not in answer.headers["location"]
        assert params["state"] not in answer.headers["location"]
    assert len(worker.sign_ins) == 1


@pytest.mark.parametrize("state", ["", "x" * 43, "unknown"])
async def test_state_that_nobody_was_sent_away_with_opens_nothing(worker: Worker, state: str) -> None:
    await worker.state()

    answer = await worker.edge.client.get(CALLBACK, params={"request_token": "t", "state": state})

    assert answer.status_code == 400
    assert code_of(answer) == "LOGIN_STATE_INVALID"
    assert worker.sign_ins == []


async def test_state_grows_old(worker: Worker) -> None:
    state = await worker.state()
    await as_owner(worker.edge, "UPDATE identity.login_states SET expires_at = now()")

    answer = await worker.edge.client.get(CALLBACK, params={"request_token": "t", "state": state})

    assert code_of(answer) == "LOGIN_STATE_INVALID"
    assert worker.sign_ins == []


async def test_login_that_was_not_finished_leaves_the_state_for_another_try(worker: Worker) -> None:
    state = await worker.state()

    cancelled = await worker.edge.client.get(CALLBACK, params={"status": "cancelled", "state": state})
    finished = await worker.edge.client.get(CALLBACK, params={"request_token": "t", "state": state})

    assert code_of(cancelled) == "SIGN_IN_REFUSED"
    assert finished.status_code == 200


async def test_brokers_refusal_is_told_in_its_words(worker: Worker) -> None:
    worker.refusal = Problem(
        code=ReasonCode.SIGN_IN_REFUSED, message="zerodha refused the sign-in: TokenException: expired"
    )

    answer = await worker.edge.client.post(worker.path, json={"requestToken": "old"})

    assert answer.status_code == 422
    assert code_of(answer) == "SIGN_IN_REFUSED"
    assert "TokenException" in answer.json()["error"]["message"]


async def test_what_is_typed_travels_sealed(worker: Worker) -> None:
    typed = {"password": "4321", "totp": "123456"}

    answer = await worker.edge.client.post(worker.path, json=typed)

    assert answer.status_code == 200
    assert worker.opened() == typed
    assert b"4321" not in worker.raw[0]
    wrong = await worker.edge.client.post(worker.path, json={"totp": "12"})
    assert (wrong.status_code, wrong.json()["error"]["field"]) == (422, "totp")
    assert "12" not in wrong.json()["error"]["message"].replace("6", "")


async def test_paper_needs_no_login(edge: "Edge") -> None:
    for answer in (
        await edge.client.get(f"{edge.account}/login"),
        await edge.client.post(f"{edge.account}/login"),
    ):
        assert answer.status_code == 409
        assert code_of(answer) == "SIGN_IN_NOT_NEEDED"


async def test_other_users_accounts_cannot_be_signed_in(worker: Worker) -> None:
    headers = {"Authorization": f"Bearer {worker.edge.other_key}"}

    assert (await worker.edge.client.get(worker.path, headers=headers)).status_code == 404
    assert (await worker.edge.client.post(worker.path, headers=headers)).status_code == 404
    reading = {"Authorization": f"Bearer {worker.edge.read_key}"}
    assert (await worker.edge.client.get(worker.path, headers=reading)).status_code == 403
    assert worker.pages == []


async def test_worker_that_does_not_run_is_told_in_time(edge: "Edge") -> None:
    account = await create_account(
        edge.world.database, user_id=USER, client_id="AB9", broker=Broker.ZERODHA, signed_in=False
    )

    answer = await edge.client.get(f"/api/brokers/accounts/{account}/login")

    assert answer.status_code == 503


async def test_account_shows_its_session(worker: Worker) -> None:
    path = f"/api/brokers/accounts/{worker.account}"
    before = (await worker.edge.client.get(path)).json()["account"]
    await as_owner(
        worker.edge,
        "INSERT INTO accounts.broker_sessions (account_id, user_id, broker, state, valid_until, reason, updated_at)"
        " VALUES ($1, $2, 'zerodha', 'EXPIRED', now(), 'the broker refused the session', now())",
        worker.account,
        USER,
    )
    after = (await worker.edge.client.get(path)).json()["account"]
    paper = (await worker.edge.client.get(worker.edge.account)).json()["account"]

    assert before["session"] == {"state": "NO_SESSION", "validUntil": None, "reason": None}
    assert after["session"]["state"] == "EXPIRED"
    assert after["session"]["reason"] == "the broker refused the session"
    assert paper["session"] is None
    assert paper["environment"] == "live"


@pytest.mark.parametrize(("broker", "fields"), [("zerodha", 2), ("angel", 3)])
async def test_sandbox_account_needs_no_credentials(edge: "Edge", broker: str, fields: int) -> None:
    body = {"broker": broker, "clientId": "SB0001", "environment": "sandbox"}

    answer = await edge.client.post("/api/brokers/accounts", json=body)

    assert answer.status_code == 201
    command = edge.behind.created[0]
    assert command.environment == "sandbox"
    assert len(command.secrets) == fields
    live = await edge.client.post(
        "/api/brokers/accounts", json=body | {"environment": "live", "clientId": "L1"}
    )
    assert code_of(live) == "MISSING_FIELD"
