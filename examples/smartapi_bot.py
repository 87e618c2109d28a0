"""A bot written for Angel One's SmartAPI, trading on a paper account: only the root URL is another.

./vyomo sandbox smartapi --account 1 --json > sandbox.json
pip install smartapi-python logzero websocket-client pyotp
python examples/smartapi_bot.py sandbox.json
"""

import json
import sys
from pathlib import Path

import pyotp
from SmartApi import SmartConnect

told = json.loads(Path(sys.argv[1]).read_text())
smart = SmartConnect(told["api_key"], root=told["root_url"])
smart.generateSession(told["client_code"], told["pin"], pyotp.TOTP(told["totp_secret"]).now())

share = {"exchange": "NSE", "tradingsymbol": "RELIANCE-EQ", "symboltoken": "2885"}
last_price = smart.ltpData(*share.values())["data"]["ltp"]
print("last price", last_price)
order_id = smart.placeOrder(
    {
        **share,
        "variety": "NORMAL",
        "transactiontype": "BUY",
        "ordertype": "LIMIT",
        "producttype": "INTRADAY",
        "duration": "DAY",
        # Market orders are not for programs since 2026: a limit a little above the market trades at once.
        "price": str(round(last_price * 1.01, 1)),
        "quantity": "10",
    }
)
orders = {row["orderid"]: row["status"] for row in smart.orderBook()["data"]}
print("order", order_id, orders[order_id])
print("positions", [(row["tradingsymbol"], row["netqty"], row["pnl"]) for row in smart.position()["data"]])
