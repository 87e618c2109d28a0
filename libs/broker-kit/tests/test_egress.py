"""Order calls leave by the account's registered address, over real sockets: a broker with TLS behind relays of both kinds."""

import asyncio
import gc
import ssl
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from vyomo_broker_kit.access import Access, Egress, Tokens
from vyomo_broker_kit.http import Answer, OrderTransport
from vyomo_broker_kit.outcomes import NotSent, Unknown
from vyomo_broker_kit.routes import MOST_WAYS, Routes
from vyomo_broker_kit.testing.parrot import listening
from vyomo_broker_kit.testing.relay import Relay, relaying
from vyomo_contracts.vocabulary import Environment

BROKER = "api.broker.example"
"""Nobody but the relay can look it up."""
NOW = datetime(2026, 11, 27, tzinfo=UTC)
Kind = Literal["http", "socks5"]

# httpcore leaves the socket of a connection that a relay did not make to the garbage collector, which closes it with a warning.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def _collected() -> Generator[None]:
    """Here, and not in another test."""
    yield
    gc.collect()


@dataclass
class TlsBroker:
    trust: ssl.SSLContext
    port: int = 0
    peers: list[str] = field(default_factory=list[str])
    posts: int = 0
    is_silent: bool = False
    status: str = "200 OK"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.peers.append(writer.get_extra_info("peername")[0])
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = next(
                    (int(line[15:]) for line in head.split("\r\n") if line.startswith("content-length:")), 0
                )
                await reader.readexactly(length)
                self.posts += head.startswith("post")
                if self.is_silent:
                    await asyncio.sleep(30)
                writer.write(
                    f"HTTP/1.1 {self.status}\r\nLocation: /other\r\nContent-Length: 2\r\n\r\nok".encode()
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


@asynccontextmanager
async def tls_broker(folder: Path, *, name: str = BROKER) -> AsyncGenerator[TlsBroker]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=3650))
        .not_valid_after(NOW + timedelta(days=3650))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name), x509.DNSName("localhost")]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "broker.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    trust = ssl.create_default_context(cadata=certificate.public_bytes(serialization.Encoding.PEM).decode())
    broker = TlsBroker(trust)
    async with listening(broker.serve, tls=context) as broker.port:
        yield broker


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncGenerator[TlsBroker]:
    async with tls_broker(tmp_path) as opened:
        yield opened


@asynccontextmanager
async def through(
    broker: TlsBroker,
    relay: Relay,
    *,
    password: str | None = None,
    seconds: float = 3,
    trust: ssl.SSLContext | None = None,
) -> AsyncGenerator[OrderTransport]:
    egress = Egress(
        relay=relay.url,
        relay_user=None if password is None else "asha",
        relay_password=None if password is None else SecretStr(password),
    )
    root = f"https://{BROKER}:{broker.port}"
    async with OrderTransport(
        root, total_seconds=seconds, egress=egress, verify=trust or broker.trust
    ) as transport:
        yield transport


@pytest.mark.parametrize("kind", ["http", "socks5"])
@pytest.mark.parametrize("password", [None, "right"])
async def test_order_goes_through_the_relay_and_tls_stays_closed(
    broker: TlsBroker, kind: Kind, password: str | None
) -> None:
    credentials = None if password is None else ("asha", password)
    async with (
        relaying(Relay(kind, broker.port, credentials)) as relay,
        through(broker, relay, password=password) as way,
    ):
        answers = [await way.call("POST", "/orders", form={"quantity": "1"}) for _ in range(2)]

    assert answers == [Answer(200, b"ok")] * 2
    # By its name, which the relay looks up; and one connection served both.
    assert relay.asked == [f"{BROKER}:{broker.port}"]
    assert broker.posts == 2


@pytest.mark.parametrize("kind", ["http", "socks5"])
async def test_wrong_password_is_told_and_nothing_was_sent(broker: TlsBroker, kind: Kind) -> None:
    async with (
        relaying(Relay(kind, broker.port, ("asha", "right"))) as relay,
        through(broker, relay, password="canary-wrong") as way,
    ):
        answer = await way.call("POST", "/orders", form={"quantity": "1"})

    assert isinstance(answer, NotSent)
    assert answer.cause == {"http": "relay: 407", "socks5": "relay: ProxyError"}[kind]
    assert (relay.asked, broker.posts) == ([], 0)


@pytest.mark.parametrize("kind", ["http", "socks5"])
async def test_relay_that_hangs_or_is_down_has_sent_nothing(broker: TlsBroker, kind: Kind) -> None:
    async with (
        relaying(Relay(kind, broker.port, is_hung=True)) as relay,
        through(broker, relay, seconds=0.3) as way,
    ):
        hung = await way.call("POST", "/orders", form={"quantity": "1"})
    async with through(broker, relay) as way:
        down = await way.call("POST", "/orders", form={"quantity": "1"})

    assert (hung, down) == (NotSent("relay: TimeoutError"), NotSent("relay: ConnectError"))
    assert broker.posts == 0


@pytest.mark.parametrize("kind", ["http", "socks5"])
async def test_relay_that_dies_under_the_call_leaves_its_outcome_unknown(
    broker: TlsBroker, kind: Kind
) -> None:
    broker.is_silent = True
    # More than the handshake and less than it and the order.
    async with relaying(Relay(kind, broker.port, breaks_after=2_000)) as relay, through(broker, relay) as way:
        answer = await way.call("POST", "/orders", form={"note": "x" * 4_000})

    assert isinstance(answer, Unknown)
    assert len(broker.peers) == 1


async def test_relay_cannot_stand_in_for_the_broker(broker: TlsBroker, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    async with (
        tls_broker(tmp_path / "other") as impostor,
        relaying(Relay("http", impostor.port)) as relay,
        through(broker, relay) as way,
    ):
        answer = await way.call("POST", "/orders", form={"quantity": "1"})

    assert isinstance(answer, NotSent)
    assert impostor.posts == 0


async def test_redirect_is_an_answer_and_not_followed(broker: TlsBroker) -> None:
    broker.status = "302 Found"
    async with relaying(Relay("http", broker.port)) as relay, through(broker, relay) as way:
        answer = await way.call("POST", "/orders", form={"quantity": "1"})

    assert answer == Answer(302, b"ok")
    assert (broker.posts, len(relay.asked)) == (1, 1)


async def test_source_address_is_what_the_broker_sees(broker: TlsBroker) -> None:
    root = f"https://localhost:{broker.port}"
    for address in ("127.0.0.2", "127.0.0.3"):
        egress = Egress(source_address=address)
        async with OrderTransport(root, total_seconds=3, egress=egress, verify=broker.trust) as way:
            assert await way.call("POST", "/orders", form={}) == Answer(200, b"ok")

    assert broker.peers == ["127.0.0.2", "127.0.0.3"]


async def test_address_that_is_not_this_machines_has_sent_nothing(broker: TlsBroker) -> None:
    egress = Egress(source_address="203.0.113.5")
    async with OrderTransport(
        f"https://localhost:{broker.port}", total_seconds=3, egress=egress, verify=broker.trust
    ) as way:
        answer = await way.call("POST", "/orders", form={})

    assert answer == NotSent("from 203.0.113.5: ConnectError")
    assert broker.peers == []


async def test_no_path_leaves_the_brokers_root(broker: TlsBroker, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    async with (
        tls_broker(tmp_path / "other") as other,
        OrderTransport(f"https://localhost:{broker.port}", total_seconds=3, verify=broker.trust) as way,
    ):
        answer = await way.call("POST", f"https://localhost:{other.port}/orders", form={})

    assert isinstance(answer, NotSent)
    assert (broker.peers, other.peers) == ([], [])


async def test_proxies_of_the_environment_are_ignored(
    broker: TlsBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    async with OrderTransport(
        f"https://localhost:{broker.port}", total_seconds=3, verify=broker.trust
    ) as way:
        assert await way.call("POST", "/orders", form={}) == Answer(200, b"ok")


def access(egress: Egress | None, account_id: int = 1) -> Access:
    return Access(
        account_id=account_id,
        environment=Environment.LIVE,
        client_id="AB1234",
        api_key=SecretStr("k"),
        tokens=Tokens(access_token=SecretStr("t"), valid_until=NOW),
        egress=egress,
    )


async def test_readings_go_straight_and_orders_by_the_accounts_way(broker: TlsBroker) -> None:
    roots = {Environment.LIVE: f"https://localhost:{broker.port}"}
    mine = access(Egress(source_address="127.0.0.2"))
    async with Routes(roots, call_seconds=3, verify=broker.trust) as routes:
        reading, orders = routes.of_readings(mine), await routes.of_orders(mine)
        assert reading is not None
        assert orders is not None
        await reading.call("GET", "/orders")
        await orders.call("POST", "/orders", form={})

        assert broker.peers == ["127.0.0.1", "127.0.0.2"]
        assert await routes.of_orders(mine) is orders
        assert await routes.of_orders(access(None)) is reading
        assert routes.of_readings(access(None)) is reading
        # The way that was used longest ago is closed, and opened anew when it is wanted.
        for number in range(MOST_WAYS):
            await routes.of_orders(access(Egress(source_address=f"127.0.1.{number}")))
        again = await routes.of_orders(mine)
        assert again is not None
        assert again is not orders
        assert await again.call("POST", "/orders", form={}) == Answer(200, b"ok")
