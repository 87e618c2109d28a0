// A trading program with the official JavaScript client, unmodified but for the roots. Prints what it saw as JSON.
"use strict";
const { KiteConnect, KiteTicker } = require("kiteconnect");

async function main(told) {
  const seen = {};
  const kite = new KiteConnect({ api_key: told.api_key, root: told.root_url });
  const page = await fetch(`${told.root_url}/connect/login`, {
    method: "POST",
    redirect: "manual",
    body: new URLSearchParams({ v: "3", api_key: told.api_key }),
  });
  const token = new URL(page.headers.get("location")).searchParams.get("request_token");
  const session = await kite.generateSession(token, told.api_secret);
  kite.setAccessToken(session.access_token);

  const listed = await kite.getInstruments("NSE");
  const reliance = listed.find((row) => row.tradingsymbol === "RELIANCE");
  seen.token = Number(reliance.instrument_token);
  const last = (await kite.getLTP(["NSE:RELIANCE"]))["NSE:RELIANCE"].last_price;
  const order = { exchange: "NSE", tradingsymbol: "RELIANCE", quantity: 5, product: "MIS" };
  const price = (factor) => Math.round(last * factor * 10) / 10;
  const resting = await kite.placeOrder("regular", {
    ...order, transaction_type: "SELL", order_type: "LIMIT", price: price(1.02), tag: "jsbot",
  });
  await kite.modifyOrder("regular", resting.order_id, { price: price(1.03), order_type: "LIMIT" });
  await kite.cancelOrder("regular", resting.order_id);
  seen.history = (await kite.getOrderHistory(resting.order_id)).map((row) => row.status);
  const bought = await kite.placeOrder("regular", {
    ...order, transaction_type: "BUY", order_type: "MARKET", market_protection: -1,
  });
  seen.ids_are_text = typeof bought.order_id === "string" && bought.order_id.length === 19;
  seen.orders = (await kite.getOrders()).map((row) => row.status);
  seen.trades = (await kite.getOrderTrades(bought.order_id)).map((row) => row.quantity);
  seen.net = (await kite.getPositions()).net.map((row) => row.quantity);
  seen.margin = (await kite.getMargins("equity")).utilised.debits > 0;
  try {
    await kite.placeOrder("regular", { ...order, transaction_type: "BUY", order_type: "MARKET" });
  } catch (error) {
    seen.refusal = error.error_type;
  }

  const ticker = new KiteTicker({
    api_key: told.api_key, access_token: session.access_token, root: `${told.ws_url}/`,
  });
  const ticks = [];
  const updates = [];
  await new Promise((resolve) => {
    const giveUp = setTimeout(resolve, 20000);
    const look = () => {
      if (ticks.filter((tick) => tick.mode === "full").length >= 3 && updates.length) {
        clearTimeout(giveUp);
        resolve();
      }
    };
    ticker.on("ticks", (came) => { ticks.push(...came); look(); });
    ticker.on("order_update", (row) => { updates.push(row.status); look(); });
    ticker.on("connect", () => {
      ticker.subscribe([seen.token]);
      ticker.setMode(ticker.modeFull, [seen.token]);
      kite.placeOrder("regular", {
        ...order, transaction_type: "SELL", order_type: "MARKET", market_protection: -1,
      });
    });
    ticker.connect();
  });
  seen.full_ticks = ticks.filter((tick) => tick.mode === "full").length;
  seen.depth = Math.max(...ticks.filter((tick) => tick.depth).map((tick) => tick.depth.buy.length));
  seen.order_updates = updates;
  ticker.autoReconnect(false, 0, 5);
  ticker.disconnect();
  seen.left = await kite.invalidateAccessToken(session.access_token);
  console.log(JSON.stringify(seen));
  process.exit(0);
}

let text = "";
process.stdin.on("data", (part) => { text += part; });
process.stdin.on("end", () => {
  main(JSON.parse(text)).catch((error) => { console.error(error); process.exit(1); });
});
