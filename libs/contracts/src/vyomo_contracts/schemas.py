"""The JSON Schema of every message, checked in under `libs/contracts/schemas` as `<type>.v<version>.json`.

    python -m vyomo_contracts.schemas --write

A schema says what a reader accepts. Once checked in, a version only grows in ways that its readers and writers survive
(`vyomo_contracts.compatibility`); anything else is a new version: raise the default of the message's `version` field.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Final

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
from vyomo_contracts.compatibility import breaking_changes
from vyomo_contracts.events import BrokerEvents
from vyomo_contracts.messages import Envelope, Failure, Tolerant
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
from vyomo_contracts.session_commands import AskLoginPages, SessionReplies, SignInAccounts

FOLDER: Final = Path(__file__).parents[2] / "schemas"

ENVELOPES: Final[tuple[type[Envelope], ...]] = (
    PlaceOrders,
    CancelOrders,
    ModifyOrders,
    OrderReplies,
    CreateAccounts,
    SetAccountsActive,
    SetAccountEgresses,
    AccountReplies,
    SyncPositionsBatch,
    SyncReplies,
    SwitchTradingBatch,
    SetRiskLimitsBatch,
    ReadRiskBatch,
    RiskReplies,
    ExitAllBatch,
    ExitReplies,
    AskLoginPages,
    SignInAccounts,
    SessionReplies,
    RingDoorbell,
    BrokerEvents,
    QuoteRequest,
    QuoteReply,
    CandleRequest,
    CandleReply,
    WatchInstruments,
    TickFrame,
)

MESSAGES: Final[dict[str, type[Tolerant]]] = {
    **{f"{each.TYPE}.v{each.model_fields['version'].default}": each for each in ENVELOPES},
    "failure.v1": Failure,
}
"""Every message type by the name of its schema file."""


def schema_of(message: type[Tolerant]) -> dict[str, Any]:
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **message.model_json_schema()}


def text_of(message: type[Tolerant]) -> str:
    """The schema as the file holds it."""
    return json.dumps(schema_of(message), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def path_of(name: str, folder: Path = FOLDER) -> Path:
    return folder / f"{name}.json"


def breakage(name: str, folder: Path = FOLDER) -> list[str]:
    """How the message as it now is breaks its checked-in schema; nothing when there is none yet."""
    path = path_of(name, folder)
    if not path.exists():
        return []
    return breaking_changes(json.loads(path.read_text(encoding="utf-8")), schema_of(MESSAGES[name]))


def write(folder: Path = FOLDER) -> int:
    """Write what differs; refuse to overwrite a schema with one that breaks it."""
    folder.mkdir(exist_ok=True)
    status = 0
    for name, message in MESSAGES.items():
        broken = breakage(name, folder)
        if broken:
            sys.stderr.write(refusal(name, broken))
            status = 1
            continue
        path_of(name, folder).write_text(text_of(message), encoding="utf-8")
    return status


def refusal(name: str, broken: list[str]) -> str:
    lines = "\n".join(f"  - {each}" for each in broken)
    return (
        f"{name}: this breaks those who read or write it today:\n{lines}\n"
        f"  Raise the default of `version` in {MESSAGES[name].__name__}, or, if no process ever used this version, "
        f"delete {name}.json first.\n"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="The JSON Schemas of all messages.")
    parser.add_argument("--write", action="store_true", help="bring libs/contracts/schemas up to date")
    if parser.parse_args().write:
        return write()
    sys.stdout.writelines(f"{name}\n" for name in MESSAGES)
    return 0


if __name__ == "__main__":
    sys.exit(main())
