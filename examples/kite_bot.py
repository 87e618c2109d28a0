"""A bot written for Zerodha's Kite Connect, trading on a paper account: only the root URL is another.

./vyomo sandbox kite --account 1 --json > sandbox.json
pip install kiteconnect
python examples/kite_bot.py sandbox.json
"""

import json
import sys
from pathlib import Path

from kiteconnect import KiteConnect

told = json.loads(Path(sys.argv[1]).read_text())
kite = KiteConnect(told["api_key"], access_token=told["access_token"], root=told["root_url"])

print("last price", kite.ltp("NSE:RELIANCE")["NSE:RELIANCE"]["last_price"])
order_id = kite.place_order(
    "regular", "NSE", "RELIANCE", "BUY", 10, kite.PRODUCT_MIS, kite.ORDER_TYPE_MARKET, market_protection=-1
)
print("order", order_id, kite.order_history(order_id)[-1]["status"])
print("positions", [(row["tradingsymbol"], row["quantity"], row["pnl"]) for row in kite.positions()["net"]])
