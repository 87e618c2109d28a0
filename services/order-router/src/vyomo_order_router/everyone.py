"""The operator's switch over everybody's accounts. Who has the database may throw it; no API key can.

    VYOMO_POSTGRES_URL=... python -m vyomo_order_router.everyone HALTED "exchange outage"

It holds from the commit on; routers deny and cancel what it leaves behind, and publish its event, within seconds.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from typing import Final

from vyomo_contracts.vocabulary import ControlScope, TradingState
from vyomo_ledger.writing import Controls, Switch
from vyomo_ledger.writing.controls import EVERYONE
from vyomo_ledger.writing.publishing import Publication
from vyomo_service_kit.clock import SystemClock
from vyomo_service_kit.database import RecordUnavailableError, open_database

ACTOR: Final = "operator"


class LeftToRelay:
    """There is no bus here: the outbox row says it."""

    def publish(self, publications: Sequence[Publication]) -> None:
        pass


async def switch_everyone(postgres_url: str, state: TradingState, reason: str) -> int:
    """The number of accounts that are covered."""
    switch = Switch(user_id=EVERYONE, scope=ControlScope.GLOBAL, state=state, reason=reason, actor=ACTOR)
    async with open_database(
        postgres_url, role="vyomo_router", application=ACTOR, patience_seconds=0
    ) as database:
        return len(await Controls(database, LeftToRelay()).throw(switch, SystemClock().now()))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m vyomo_order_router.everyone", description=__doc__)
    parser.add_argument("state", type=TradingState, choices=list(TradingState))
    parser.add_argument("reason", help="what the users are told")
    options = parser.parse_args(arguments)
    try:
        covered = asyncio.run(
            switch_everyone(os.environ["VYOMO_POSTGRES_URL"], options.state, options.reason)
        )
    except (OSError, RecordUnavailableError) as error:
        sys.stderr.write(f"NOT switched, the record cannot be reached: {error or type(error).__name__}\n")
        return 1
    sys.stdout.write(f"{options.state}: {covered} accounts\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
