"""The whole service on real NATS and PostgreSQL: doorbell to fill, quotes on request, ticks while somebody watches."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from vyomo_contracts import subjects
from vyomo_contracts.commands import RingDoorbell
from vyomo_contracts.messages import Failure
from vyomo_contracts.queries import (
    CandleReply,
    CandleRequest,
    QuoteReply,
    QuoteRequest,
    TickFrame,
    WatchInstruments,
)
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.topology import partition_of
from vyomo_contracts.vocabulary import CandleInterval, OrderState, OrderType
from vyomo_ledger.testing import RecordWorld, record_world
from vyomo_paper_exchange.bootstrap import paper_exchange
from vyomo_paper_exchange.settings import PaperExchangeSettings
from vyomo_service_kit.testing import eventually


@pytest.fixture
async def record(database_url: str, nats_url: str) -> AsyncGenerator[RecordWorld]:
    settings = PaperExchangeSettings.model_validate(
        {"nats_url": nats_url, "postgres_url": database_url, "partitions": 2, "log_level": "error"}
    )
    async with record_world(database_url, nats_url, partitions=2) as world, paper_exchange(settings):
        yield world


def envelope(record: RecordWorld) -> dict[str, Any]:
    identifier = record.identifiers.message_id()
    return {
        "id": identifier,
        "type": "test",
        "time": record.clock.now(),
        "correlation_id": identifier,
        "source": "test",
    }


async def test_doorbell_leads_to_a_fill(record: RecordWorld) -> None:
    new = record.new(record.order(order_type=OrderType.MARKET, price=Decimal(0)))
    await record.ledger.accept([new])

    await record.bus.publish(
        subjects.doorbell("paper", partition_of(record.account, 2)),
        RingDoorbell(**envelope(record), account_ids=(record.account,)),
    )

    async def is_filled() -> bool:
        return (await record.stored(new.order.order_id)).state is OrderState.FILLED

    await eventually(is_filled)


async def test_lost_doorbell_costs_half_a_second(record: RecordWorld) -> None:
    new = record.new(record.order(order_type=OrderType.MARKET, price=Decimal(0)))
    await record.ledger.accept([new])

    async def is_filled() -> bool:
        return (await record.stored(new.order.order_id)).state is OrderState.FILLED

    await eventually(is_filled, timeout=10)


async def test_quotes_are_answered_for_what_is_listed(record: RecordWorld) -> None:
    request = QuoteRequest(**envelope(record), keys=("NSE:RELIANCE", "NSE:NOSUCH", "NSE:NIFTY"))

    reply = await record.bus.request(subjects.QUOTES, request, QuoteReply, timeout_seconds=5)

    assert [quote.key for quote in reply.quotes] == ["NSE:RELIANCE", "NSE:NIFTY"]
    assert all(len(quote.bids) == len(quote.asks) == 5 for quote in reply.quotes)
    assert all(quote.low_price <= quote.last_price <= quote.high_price for quote in reply.quotes)


async def test_candles_are_answered_and_refused(record: RecordWorld) -> None:
    async def ask(key: str, **changes: Any) -> CandleReply:
        request = CandleRequest(**envelope(record), key=key, interval=CandleInterval.MINUTE, **changes)
        return await record.bus.request(subjects.CANDLES, request, CandleReply, timeout_seconds=5)

    usual = await ask("NSE:RELIANCE")
    unknown = await ask("NSE:NOSUCH")
    too_many = await ask("NSE:RELIANCE", begin=record.clock.now() - timedelta(days=20))

    assert len(usual.candles) == 300
    assert [candle.at for candle in usual.candles] == sorted({candle.at for candle in usual.candles})
    assert usual.candles[-1].at > record.clock.now() - timedelta(minutes=2)
    assert unknown.problem is not None
    assert (unknown.problem.code, unknown.problem.field) == (ReasonCode.UNKNOWN_SYMBOL, "symbol")
    assert too_many.problem is not None
    assert (too_many.problem.code, too_many.problem.field) == (ReasonCode.INVALID_FIELD, "from")


async def test_unreadable_request_gets_an_answer(record: RecordWorld) -> None:
    answer = await record.bus.client.request(subjects.QUOTES, b"{}", timeout=5)

    assert Failure.model_validate_json(answer.data).problem.code is ReasonCode.INVALID_FIELD


async def test_ticks_flow_while_watched_and_stop_after_the_lease(record: RecordWorld) -> None:
    frames: list[TickFrame] = []

    async def hear(message: Any) -> None:
        frames.append(TickFrame.model_validate_json(message.data))

    await record.bus.client.subscribe(subjects.TICKS, cb=hear)
    await record.bus.until_subscribed()
    watch = WatchInstruments(**envelope(record), keys=("NSE:NIFTY", "NSE:NOSUCH"), lease_seconds=1.2)
    await record.bus.publish(subjects.WATCH_INSTRUMENTS, watch)

    await eventually(lambda: len(frames) >= 2)

    assert {tick.key for frame in frames for tick in frame.ticks} == {"NSE:NIFTY"}
    volumes = [tick.volume for frame in frames for tick in frame.ticks]
    assert volumes == sorted(volumes)
    assert Decimal(frames[0].ticks[0].price) % Decimal("0.05") == 0
    seen = -1

    async def has_gone_quiet() -> bool:
        nonlocal seen
        before, seen = seen, len(frames)
        return before == seen

    await eventually(has_gone_quiet, timeout=5, interval=0.6)
