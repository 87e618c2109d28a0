"""The bare floor in a process of its own: FastAPI echoing a JSON body through a pydantic model, and a NATS responder.

python -m vyomo_bench.stub PORT NATS_URL SUBJECT
"""

import gc
import sys
from decimal import Decimal

import nats
import uvicorn
import uvloop
from fastapi import FastAPI
from nats.aio.msg import Msg
from pydantic import BaseModel


class EchoOrder(BaseModel):
    symbol: str
    exchange: str
    transactionType: str  # noqa: N815 - the API's own words
    orderType: str  # noqa: N815
    quantity: int
    price: Decimal | None = None
    product: str
    validity: str = "DAY"


app = FastAPI()


@app.post("/echo")
async def echo(order: EchoOrder) -> EchoOrder:
    return order


async def _answer(message: Msg) -> None:
    await message.respond(message.data)


async def serve(port: int, nats_url: str, subject: str) -> None:
    client = await nats.connect(nats_url, name="bench-stub")
    await client.subscribe(subject, cb=_answer)
    server = uvicorn.Server(
        uvicorn.Config(
            app, host="127.0.0.1", port=port, http="httptools", access_log=False, log_level="warning"
        )
    )
    gc.collect()
    gc.freeze()
    await server.serve()
    await client.close()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), *sys.argv[2:4]))
