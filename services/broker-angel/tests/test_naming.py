from collections.abc import Sequence

import pytest

from vyomo_broker_angel.naming import AngelNames, Listing, UnnamedInstrumentError
from vyomo_broker_angel.testing import CHAIN
from vyomo_contracts.vocabulary import Environment, Exchange


async def nothing(exchange: Exchange, name: str) -> Sequence[Listing]:
    raise AssertionError(f"{exchange}:{name} was asked for")


async def test_what_we_do_not_list_is_not_asked_for(names: AngelNames) -> None:
    with pytest.raises(UnnamedInstrumentError, match="NSE:NOSUCH is not listed"):
        await names.of(Environment.SANDBOX, Exchange.NSE, "NOSUCH", nothing)


async def test_option_is_asked_for_by_the_brokers_name(names: AngelNames) -> None:
    async def search(exchange: Exchange, name: str) -> Sequence[Listing]:
        return [Listing(exchange=exchange, tradingsymbol=name, symboltoken="43210")]

    named = await names.of(Environment.SANDBOX, CHAIN.exchange, CHAIN.symbol, search)

    assert (named.trading_symbol, named.token) == ("NIFTY24NOV2625000CE", "43210")
    assert await names.of(Environment.SANDBOX, CHAIN.exchange, CHAIN.symbol, nothing) == named


@pytest.mark.parametrize(
    ("exchange", "name", "symbol"),
    [
        (Exchange.NSE, "RELIANCE-EQ", "RELIANCE"),
        (Exchange.NSE, "SUZLON-BE", "SUZLON-BE"),
        (Exchange.NSE, "ABC24NOV26FUT", "ABC24NOV26FUT"),
        (Exchange.BSE, "RELIANCE", "RELIANCE"),
        (Exchange.NFO, "NIFTY24NOV2625000CE", "NIFTY26NOV25000CE"),
        # Ours are not: another strike, side, month, a day that is none.
        (Exchange.NFO, "NIFTY24NOV2625100CE", "NIFTY24NOV2625100CE"),
        (Exchange.NFO, "NIFTY24NOV2625000PE", "NIFTY24NOV2625000PE"),
        (Exchange.NFO, "NIFTY29DEC2625000CE", "NIFTY29DEC2625000CE"),
        (Exchange.NFO, "NIFTY99XYZ2625000CE", "NIFTY99XYZ2625000CE"),
    ],
)
async def test_names_in_the_books_come_back_in_our_words(
    names: AngelNames, exchange: Exchange, name: str, symbol: str
) -> None:
    for _ in range(2):
        assert await names.symbol_of(Environment.SANDBOX, exchange, name) == symbol
