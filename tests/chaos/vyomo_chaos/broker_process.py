"""The misbehaving broker, in a process that no fault touches: it is the judge of what was really sent.

python -m vyomo_chaos.broker_process PORT
"""

import asyncio
import sys

from vyomo_broker_kit.testing.scripted_broker import ScriptedBroker


async def serve(port: int) -> None:
    async with ScriptedBroker().serving(port):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
