"""Writes `asyncapi.json` and the tables of `README.md` from the code, so that they cannot say anything else.

python docs/messaging/generate.py            brings both up to date
python docs/messaging/generate.py --check    tells whether they are
"""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, cast

from faststream.specification import AsyncAPI

from vyomo_broker_kit.doorbell import register_doorbell
from vyomo_contracts import subjects
from vyomo_contracts.commands import (
    AccountReplies,
    CancelOrders,
    CreateAccounts,
    ModifyOrders,
    OrderReplies,
    PlaceOrders,
    RingDoorbell,
    SetAccountEgresses,
    SetAccountsActive,
    SyncPositionsBatch,
    SyncReplies,
)
from vyomo_contracts.events import BrokerEvents
from vyomo_contracts.messages import Envelope
from vyomo_contracts.queries import (
    CandleReply,
    CandleRequest,
    QuoteReply,
    QuoteRequest,
    TickFrame,
    WatchInstruments,
)
from vyomo_contracts.risk_commands import (
    ExitAllBatch,
    ExitReplies,
    ReadRiskBatch,
    RiskReplies,
    SetRiskLimitsBatch,
    SwitchTradingBatch,
)
from vyomo_contracts.schemas import MESSAGES
from vyomo_contracts.topology import STREAMS, SYNC_CONSUMER, worker_consumer
from vyomo_contracts.vocabulary import Broker
from vyomo_gateway.events.feed import EventFeed
from vyomo_order_router.handlers import register_handlers
from vyomo_order_router.risk_handlers import register_risk_handlers
from vyomo_service_kit.bus import Bus
from vyomo_sync.app import register as register_sync
from vyomo_sync.handlers import Handlers

FOLDER: Final = Path(__file__).parent
DOCUMENT: Final = FOLDER / "asyncapi.json"
README: Final = FOLDER / "README.md"

_NOTHING: Final = cast("Any", None)
"""Handlers are only described here, never called, so they need nothing behind them."""

Row = tuple[str, str, str, type[Envelope], type[Envelope] | None]

# Subject, who sends, who receives, message, answer.
SUBJECTS: Final[tuple[Row, ...]] = (
    (subjects.PLACE_ORDERS, "gateway", "order-router", PlaceOrders, OrderReplies),
    (subjects.CANCEL_ORDERS, "gateway", "order-router", CancelOrders, OrderReplies),
    (subjects.MODIFY_ORDERS, "gateway", "order-router", ModifyOrders, OrderReplies),
    (subjects.CREATE_ACCOUNTS, "gateway", "order-router", CreateAccounts, AccountReplies),
    (subjects.SET_ACCOUNTS_ACTIVE, "gateway", "order-router", SetAccountsActive, AccountReplies),
    (subjects.SET_ACCOUNT_EGRESSES, "gateway", "order-router", SetAccountEgresses, AccountReplies),
    (subjects.SWITCH_TRADING, "gateway", "order-router", SwitchTradingBatch, RiskReplies),
    (subjects.SET_RISK_LIMITS, "gateway", "order-router", SetRiskLimitsBatch, RiskReplies),
    (subjects.READ_RISK, "gateway", "order-router", ReadRiskBatch, RiskReplies),
    (subjects.EXIT_ALL, "gateway", "order-router", ExitAllBatch, ExitReplies),
    (subjects.SYNC_POSITIONS, "gateway", "sync", SyncPositionsBatch, SyncReplies),
    (subjects.QUOTES, "gateway", "paper-exchange", QuoteRequest, QuoteReply),
    (subjects.CANDLES, "gateway", "paper-exchange", CandleRequest, CandleReply),
    (subjects.WATCH_INSTRUMENTS, "gateway", "paper-exchange", WatchInstruments, None),
    (subjects.TICKS, "paper-exchange", "gateway", TickFrame, None),
    (
        subjects.doorbell("<broker>", cast("int", "<partition>")),
        "order-router",
        "the broker's worker",
        RingDoorbell,
        None,
    ),
    (
        subjects.events("<broker>", cast("int", "<partition>")),
        "order-router, workers",
        "gateway, sync, auto-traders",
        BrokerEvents,
        None,
    ),
)


def asyncapi() -> str:
    bus = Bus("nats://localhost:4222", name="documentation")
    register_handlers(bus.broker, _NOTHING, _NOTHING, _NOTHING, _NOTHING)
    register_risk_handlers(bus.broker, _NOTHING, _NOTHING, _NOTHING)
    for broker in Broker:
        register_doorbell(bus.broker, broker=broker, owned=(0,), ring=_NOTHING)
    register_sync(bus.broker, Handlers(_NOTHING, _NOTHING, _NOTHING))
    EventFeed(bus)
    described = AsyncAPI(
        bus.broker,
        title="Vyomo Broker Integration",
        version="1",
        description="Commands, doorbells and events that Vyomo's services exchange over NATS. See README.md beside this file.",
    ).to_specification()
    return json.dumps(json.loads(described.to_json()), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def readme(text: str) -> str:
    """The text with each table between its markers made anew."""
    for name, lines in (
        ("subjects", subject_lines()),
        ("streams", stream_lines()),
        ("consumers", consumer_lines()),
        ("messages", message_lines()),
    ):
        begin, end = f"<!-- table: {name} -->\n", "<!-- end -->"
        before, rest = text.split(begin)
        text = before + begin + "\n".join(lines) + "\n" + end + rest.split(end, 1)[1]
    return text


def subject_lines() -> list[str]:
    return table(
        ("Subject", "From", "To", "Message", "Answer"),
        (
            (
                f"`{subject}`",
                sender,
                receiver,
                schema_link(message),
                schema_link(answer) if answer else "none",
            )
            for subject, sender, receiver, message, answer in SUBJECTS
        ),
    )


def stream_lines() -> list[str]:
    return table(
        ("Stream", "Subjects", "Kept in", "Retention", "For at most", "At most"),
        (
            (
                f"`{stream.name}`",
                ", ".join(f"`{each}`" for each in stream.subjects),
                stream.storage,
                stream.retention,
                duration(stream.max_age),
                f"{stream.max_bytes // 1024**2} MB",
            )
            for stream in STREAMS
        ),
    )


def consumer_lines() -> list[str]:
    return table(
        ("Durable consumer", "Stream", "Subjects", "Delivered to"),
        (
            (
                f"`{consumer.durable_name}`",
                f"`{consumer.stream}`",
                f"`{consumer.filter_subject}`",
                f"`{consumer.deliver_subject}`",
            )
            for consumer in (
                *(worker_consumer(broker, cast("int", "<partition>")) for broker in Broker),
                SYNC_CONSUMER,
            )
        ),
    )


def message_lines() -> list[str]:
    return table(
        ("Type and version", "Meaning"),
        (
            (
                f"[`{name}`](../../libs/contracts/schemas/{name}.json)",
                meaning(message.__doc__, message.__name__),
            )
            for name, message in sorted(MESSAGES.items())
        ),
    )


def meaning(docstring: str | None, name: str) -> str:
    """The first paragraph; pydantic hands an undocumented model its base's words, which would be no help."""
    own = docstring is not None and docstring != Envelope.__doc__
    return " ".join(str(docstring).split("\n\n", 1)[0].split()) if own else f"`{name}`"


def schema_link(message: type[Envelope]) -> str:
    name = next(name for name, known in MESSAGES.items() if known is message)
    return f"[`{message.__name__}`](../../libs/contracts/schemas/{name}.json)"


def duration(seconds: int) -> str:
    return f"{seconds // 86400} days" if seconds >= 86400 else f"{seconds} s"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]


def main() -> int:
    parser = argparse.ArgumentParser(description="The messaging documents, from the code.")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if they are not current")
    check = parser.parse_args().check
    wanted = {DOCUMENT: asyncapi(), README: readme(README.read_text(encoding="utf-8"))}
    stale = [
        path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    for path in stale:
        if not check:
            path.write_text(wanted[path], encoding="utf-8")
        sys.stdout.write(f"{path.name}: {'not current' if check else 'written'}\n")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
