"""How an instrument moves and how liquid it is in the seeded market. Simulation parameters, not market rules.

Every stock has a share of one index factor and a movement of its own, so constituents move together and with their index; a
contract moves with its underlying. The same company has one path on both exchanges.
"""

from dataclasses import dataclass
from functools import cache
from typing import Final

from vyomo_contracts.instruments import Instrument
from vyomo_contracts.vocabulary import Exchange, InstrumentKind
from vyomo_paper_exchange.domain.market.noise import draw, stream
from vyomo_paper_exchange.domain.market.paths import BLOCK, SNAPSHOTS_PER_SECOND, Component, Path
from vyomo_paper_exchange.domain.tables import rows_of

_FACTOR: Final = "factor/index"
_FACTOR_SWING: Final = 6_800
_FACTOR_ANCHOR: Final = 4_000
_OWN_SWING: Final = 6_200
_OWN_ANCHOR: Final = 4_500
_INDEX_OWN: Final = {"NIFTY": 0, "SENSEX": 700}
"""Swing of an index beside the factor, in parts per million; other indices move more on their own."""
_OTHER_INDEX_OWN: Final = 2_300
_BAND_SHARE_PERCENT: Final = 94
"""The most of its band a path may use: the depth needs the rest."""
_BLOCK_DAYS: Final = (BLOCK, SNAPSHOTS_PER_SECOND * 86_400)

_LIQUID_DAY_VALUE: Final = 15_000_000_000
_LIQUID_LEVEL_VALUE: Final = 4_000_000
_LIQUID_LEVEL_UNITS: Final = 2_000
_ILLIQUID_LEVEL_VALUE: Final = 200_000
_LEVEL_LOTS: Final = {InstrumentKind.FUTURE: 60, InstrumentKind.OPTION: 80}
_PRICE_TICKS_PER_SPREAD_TICK: Final = {InstrumentKind.FUTURE: 25_000, InstrumentKind.OPTION: 2_500}
_DAY_LOTS: Final = {InstrumentKind.FUTURE: 120_000, InstrumentKind.OPTION: 900_000}


@dataclass(frozen=True, slots=True)
class Liquidity:
    level_quantity: int
    """Typical size of one depth level, a multiple of the lot."""
    day_volume: int
    spread_ticks: int


def path_name(root: Instrument) -> str:
    """What names a path: the company or index, or the commodity; not the exchange it trades on."""
    return root.name if root.kind in {InstrumentKind.FUTURE, InstrumentKind.OPTION} else root.symbol


def components_of(seed: int, root: Instrument) -> tuple[Component, ...]:
    """The movements of `root`, scaled down where the sum could leave its price band."""
    components = _unscaled(seed, root)
    bound = sum(component.bound for component in components)
    allowed = int(root.band_percent * 100 * _BAND_SHARE_PERCENT) if root.band_percent else bound
    if bound <= allowed:
        return components
    return tuple(
        Component(
            key=component.key,
            swing=component.swing * allowed // bound,
            anchor=component.anchor * allowed // bound,
        )
        for component in components
    )


def path_of(seed: int, root: Instrument) -> Path:
    block_volume = liquidity_of(seed, root).day_volume * _BLOCK_DAYS[0] // _BLOCK_DAYS[1]
    name = path_name(root)
    return Path(components_of(seed, root), stream(seed, f"volume/{name}"), block_volume)


def liquidity_of(seed: int, instrument: Instrument) -> Liquidity:
    lot, price = instrument.lot_size, max(int(instrument.reference_price), 1)
    if instrument.kind in _LEVEL_LOTS:
        spread = (
            1
            + int(instrument.reference_price / instrument.tick_size)
            // _PRICE_TICKS_PER_SPREAD_TICK[instrument.kind]
        )
        return Liquidity(_LEVEL_LOTS[instrument.kind] * lot, _DAY_LOTS[instrument.kind] * lot, spread)
    if instrument.kind is InstrumentKind.INDEX or instrument.symbol in _constituents():
        level = max(_LIQUID_LEVEL_VALUE // price, _LIQUID_LEVEL_UNITS)
        return Liquidity(_lots(level, lot), _LIQUID_DAY_VALUE // price, 1)
    # A thousandth to a hundredth of a constituent's turnover, by name.
    share = 100 + draw(stream(seed, "liquidity"), stream(0, instrument.symbol)) % 900
    level = max(_ILLIQUID_LEVEL_VALUE // price, 10)
    return Liquidity(_lots(level, lot), max(_LIQUID_DAY_VALUE // share // 10 // price, lot), 1 + share // 250)


def _lots(quantity: int, lot: int) -> int:
    return max(quantity // lot, 1) * lot


def _unscaled(seed: int, root: Instrument) -> tuple[Component, ...]:
    name = path_name(root)
    if root.exchange is Exchange.MCX:
        return (_own(seed, name, _OWN_SWING),)
    if root.kind is InstrumentKind.INDEX:
        own = _INDEX_OWN.get(root.symbol, _OTHER_INDEX_OWN)
        return (_factor(seed, 100), _own(seed, name, own)) if own else (_factor(seed, 100),)
    beta_percent = 70 + stream(seed, f"beta/{name}") % 46
    return (_factor(seed, beta_percent), _own(seed, name, _OWN_SWING))


def _factor(seed: int, beta_percent: int) -> Component:
    return Component(
        key=stream(seed, _FACTOR),
        swing=_FACTOR_SWING * beta_percent // 100,
        anchor=_FACTOR_ANCHOR * beta_percent // 100,
    )


def _own(seed: int, name: str, swing: int) -> Component:
    return Component(key=stream(seed, f"own/{name}"), swing=swing, anchor=_OWN_ANCHOR * swing // _OWN_SWING)


@cache
def _constituents() -> frozenset[str]:
    return frozenset(row["symbol"] for row in rows_of("underlyings"))
