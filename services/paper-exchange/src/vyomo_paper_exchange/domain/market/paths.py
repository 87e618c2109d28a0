"""A price path with random access: midpoint displacement over a binary tree of time.

Time is a lattice of 250 ms snapshots. Every block of 2**19 of them is one tree: its ends have hashed values, and the value in the
middle of an interval is the mean of the interval's ends plus a hashed displacement whose bound falls by the square root of two a
level, which is how a random walk scales. So one value costs at most 19 draws (about two for the next snapshot, because the way
down is kept), and nothing runs while nobody looks.

The bound of a subtree is known, so the exact extremes of any stretch of time are found by branch and bound, without walking it.
Volume comes down the same tree: each interval's trades are split between its halves, so cumulative volume never falls.

Values are deviations from the reference price in parts per million.
"""

from dataclasses import dataclass
from math import isqrt
from typing import Final, NamedTuple

from vyomo_paper_exchange.domain.market.noise import centred, displaced, draw

SNAPSHOTS_PER_SECOND: Final = 4
LEVELS: Final = 19
BLOCK: Final = 1 << LEVELS
_SPLIT_UNIT: Final = 1 << 16
_WALKED_RANGE: Final = 16
"""Up to so many snapshots are compared one by one: neighbours are cheap."""


@dataclass(frozen=True, slots=True)
class Component:
    """One source of movement; several add up to a path, and those that share a stream co-move."""

    key: int
    swing: int
    """Bound of the first displacement of a block, in parts per million; later ones are smaller."""
    anchor: int
    """Bound of the values at the ends of blocks."""

    @property
    def steps(self) -> tuple[int, ...]:
        """Displacement bound of each level: the square root of two smaller each time."""
        return tuple(isqrt(self.swing * self.swing >> level) for level in range(LEVELS))

    @property
    def bound(self) -> int:
        return self.anchor + sum(self.steps)


class _Node(NamedTuple):
    """An interval [low, high) with its end values and the volume before and inside it."""

    level: int
    low: int
    high: int
    left: int
    right: int
    before: int
    inside: int


class Path:
    """The deviation and the cumulative volume of one instrument at every snapshot. Keeps only a cursor, never results."""

    def __init__(self, components: tuple[Component, ...], volume_key: int, block_volume: int) -> None:
        self._components = tuple(
            (component.key, component.steps, component.anchor) for component in components
        )
        self._volume_key = volume_key
        self._block_volume = block_volume
        bounds = [sum(component.steps[level] for component in components) for level in range(LEVELS)]
        self._reach = tuple(sum(bounds[level:]) for level in range(LEVELS + 1))
        self._cursor: list[_Node] = []

    def deviation(self, snapshot: int) -> int:
        return self._leaf(snapshot).left

    def volume_before(self, snapshot: int) -> int:
        """Units traded before a snapshot, counted from a fixed origin: differences are volumes."""
        return snapshot // BLOCK * self._block_volume + self._leaf(snapshot).before

    def extremes(self, first: int, last: int) -> tuple[int, int]:
        """The lowest and the highest deviation of all snapshots from `first` to `last`, both included."""
        if last - first < _WALKED_RANGE:
            values = [self.deviation(snapshot) for snapshot in range(first, last + 1)]
            return min(values), max(values)
        lowest = highest = self.deviation(first)
        for block in range(first // BLOCK, last // BLOCK + 1):
            root = self._root(block)
            lowest = -self._highest(root, first, last, -lowest, -1)
            highest = self._highest(root, first, last, highest, 1)
        return lowest, highest

    def _root(self, block: int) -> _Node:
        return _Node(
            level=0,
            low=block * BLOCK,
            high=(block + 1) * BLOCK,
            left=self._anchor(block),
            right=self._anchor(block + 1),
            before=0,
            inside=self._block_volume,
        )

    def _anchor(self, block: int) -> int:
        position = block * BLOCK
        return sum(centred(draw(key, position)) * anchor >> 32 for key, _, anchor in self._components)

    def _leaf(self, snapshot: int) -> _Node:
        cursor = self._cursor
        while cursor and not cursor[-1].low <= snapshot < cursor[-1].high:
            cursor.pop()
        if not cursor:
            cursor.append(self._root(snapshot // BLOCK))
        node = cursor[-1]
        while node.level < LEVELS:
            first, second = self._halves(node)
            node = first if snapshot < first.high else second
            cursor.append(node)
        return node

    def _halves(self, node: _Node) -> tuple[_Node, _Node]:
        level, low, high, left, right, before, inside = node
        # Each snapshot is the middle of exactly one interval, so its number alone addresses the draw.
        middle = (low + high) >> 1
        value = self._displaced(level, middle, left, right)
        split = _SPLIT_UNIT // 4 + ((draw(self._volume_key, middle) & 0xFFFF) >> 1)
        share = inside * split >> 16
        return (
            _Node(level + 1, low, middle, left, value, before, share),
            _Node(level + 1, middle, high, value, right, before + share, inside - share),
        )

    def _displaced(self, level: int, middle: int, left: int, right: int) -> int:
        value = (left + right) >> 1
        for key, steps, _ in self._components:
            value += displaced(draw(key, middle), steps[level])
        return value

    def _highest(self, root: _Node, first: int, last: int, best: int, sign: int) -> int:
        """The highest of sign x deviation in the range, at least `best`; subtrees that cannot exceed it are skipped."""
        reach = self._reach
        pending = [root[:5]]
        while pending:
            level, low, high, left, right = pending.pop()
            if high <= first or low > last:
                continue
            signed_left, signed_right = sign * left, sign * right
            if low >= first and signed_left > best:
                best = signed_left
            if level == LEVELS or max(signed_left, signed_right) + reach[level] <= best:
                continue
            middle = (low + high) >> 1
            value = self._displaced(level, middle, left, right)
            lower, upper = (level + 1, low, middle, left, value), (level + 1, middle, high, value, right)
            # The half with the higher end goes last, so that it is searched first and prunes the other.
            pending.extend((lower, upper) if signed_right >= signed_left else (upper, lower))
        return best
