"""Prints a link that signs one browser in, once, within a quarter of an hour.

    VYOMO_POSTGRES_URL=... python -m vyomo_gateway.link --url http://127.0.0.1:3011

What lets in stands behind the link's `#`, which browsers keep to themselves: it reaches no server's log.
"""

import argparse
import asyncio
import os
import sys
from typing import Final

import asyncpg

from vyomo_gateway.identity.browsers import LINK_VALID_FOR, add_link
from vyomo_service_kit.clock import SystemClock

_CONNECT_SECONDS: Final = 10
SIGN_IN_PAGE: Final = "/sign-in"


async def make_link(postgres_url: str, *, url: str, user_id: str) -> str:
    connection = await asyncpg.connect(
        postgres_url, timeout=_CONNECT_SECONDS, server_settings={"role": "vyomo_gateway", "search_path": ""}
    )
    try:
        async with connection.transaction():
            token = await add_link(connection, user_id, SystemClock().now())
    finally:
        await connection.close()
    return f"{url}{SIGN_IN_PAGE}#token={token}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m vyomo_gateway.link", description=__doc__)
    parser.add_argument("--url", required=True, help="of the running system")
    parser.add_argument("--user", default="default_user", help="whom the link signs in")
    options = parser.parse_args()
    link = asyncio.run(make_link(os.environ["VYOMO_POSTGRES_URL"], url=options.url, user_id=options.user))
    sys.stdout.write(f"{link}\n")
    minutes = int(LINK_VALID_FOR.total_seconds() // 60)
    sys.stderr.write(f"open it within {minutes} minutes; it works once\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
