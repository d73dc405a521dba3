"""Dealing groups of images to parts, so that each owner keeps its promises and the sums fit the shares.

An owner is a landmark, or the distractors. Each owner first gets what is promised to it, then its
groups go where its own quota lacks most; at last groups move from parts that hold too much to parts
that hold too little over all owners, as long as no promise breaks.
"""

import heapq
import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

UNDEALT = -1
IntArray = npt.NDArray[np.int64]
Shares = tuple[float, float, float]

_PARTS = range(3)
# Shares times images are not exact: a move that would lower the deviation by less lowers nothing.
_ROUNDING = 1e-6


@dataclass
class _Hand:
    """The groups of one owner, smallest first: `held` images and `counts` groups in each part.

    quota: images wanted in each part. movable: for each part a heap of places in `groups`.
    """

    groups: list[int]
    quota: list[float]
    promised: list[int]
    held: list[int] = field(default_factory=lambda: [0, 0, 0])
    counts: list[int] = field(default_factory=lambda: [0, 0, 0])
    movable: tuple[list[int], list[int], list[int]] = field(default_factory=lambda: ([], [], []))

    def gain(self, source: int, target: int) -> float:
        """How much nearer this owner's own quota a move brings it; higher is better."""
        surplus = self.held[source] - self.quota[source]
        return surplus - (self.held[target] - self.quota[target])

    def next_from(self, part: int) -> int | None:
        """The smallest group that may leave `part` without breaking a promise, if there is one."""
        if not self.movable[part] or self.counts[part] <= (part in self.promised):
            return None
        return self.groups[self.movable[part][0]]


@dataclass
class _Table:
    """All hands at once; `parts` [G] is what is being filled in."""

    sizes: list[int]
    is_fixed: list[bool]
    parts: list[int]
    hands: list[_Hand]

    def put(self, hand: _Hand, group: int, part: int) -> None:
        """`group` lies in `part`, wherever it lay before."""
        before = self.parts[group]
        if before != UNDEALT:
            hand.held[before] -= self.sizes[group]
            hand.counts[before] -= 1
        self.parts[group] = part
        hand.held[part] += self.sizes[group]
        hand.counts[part] += 1


@dataclass
class _Queue:
    """The owners that may give from `source` to `target`, who gains most first.

    heap: (-gain, place of the hand); an entry whose gain is no longer the hand's counts for nothing.
    waiting: entries of hands without a group under `below`, the last bound; a higher one calls them back.
    """

    source: int
    target: int
    heap: list[tuple[float, int]] = field(default_factory=list)
    waiting: list[tuple[float, int]] = field(default_factory=list)
    below: float = math.inf

    def add(self, hand: _Hand, place: int) -> None:
        """The hand as it is now."""
        if hand.next_from(self.source) is not None:
            heapq.heappush(self.heap, (-hand.gain(self.source, self.target), place))

    def giver(self, table: _Table, below: float) -> int | None:
        """The place of the hand to give next a group of less than `below` images; None if none may."""
        if below > self.below:
            self.heap += self.waiting
            self.waiting = []
            heapq.heapify(self.heap)
        self.below = below
        while self.heap:
            entry = heapq.heappop(self.heap)
            hand = table.hands[entry[1]]
            group = hand.next_from(self.source)
            if group is None or -entry[0] != hand.gain(self.source, self.target):
                continue
            if table.sizes[group] < below:
                return entry[1]
            self.waiting.append(entry)
        return None


def deal(
    sizes: IntArray,
    owners: IntArray,
    fixed: IntArray,
    *,
    shares: Shares,
    rng: np.random.Generator,
) -> IntArray:
    """The part 0 (train), 1 (val) or 2 (test) of each group.

    sizes: [G] images in each group. owners: [G] from 0, every number used.
    fixed: [G] a part where the group must stay, or -1.
    An owner of one group has it in train; of two, one each in train and test (or val where test has
    no share); of three or more, at least one in every part with a share. Among what the promises leave
    open, the sums over all owners come near to `shares`: no group that may move could lower the sum of
    their deviations.
    """
    table = _laid_out(sizes, owners, fixed, shares, rng)
    for hand in table.hands:
        _keep_promises(table, hand)
        _fill_quota(table, hand, shares)
    _balance(table, shares)
    return np.asarray(table.parts, dtype=np.int64)


def _laid_out(
    sizes: IntArray, owners: IntArray, fixed: IntArray, shares: Shares, rng: np.random.Generator
) -> _Table:
    groups_of: list[list[int]] = [[] for _ in range(int(owners.max(initial=-1)) + 1)]
    owner_of, fixed_part = owners.tolist(), fixed.tolist()
    for group in rng.permutation(len(sizes)).tolist():
        groups_of[owner_of[group]].append(group)
    is_fixed = [part != UNDEALT for part in fixed_part]
    table = _Table(sizes.tolist(), is_fixed, [UNDEALT] * len(sizes), [])
    for groups in groups_of:
        groups.sort(key=table.sizes.__getitem__)
        n_images = sum(table.sizes[group] for group in groups)
        promised = [part for part in (0, 2, 1) if shares[part] > 0][: len(groups)]
        hand = _Hand(groups, [share * n_images for share in shares], promised)
        table.hands.append(hand)
        for group in groups:
            if is_fixed[group]:
                table.put(hand, group, fixed_part[group])
    return table


def _keep_promises(table: _Table, hand: _Hand) -> None:
    """Each promised part holds a group, the smallest one for val and test, while groups are left."""
    left = [group for group in hand.groups if table.parts[group] == UNDEALT]
    for part in [p for p in hand.promised if hand.counts[p] == 0]:
        if left:
            table.put(hand, left.pop(-1 if part == 0 else 0), part)


def _fill_quota(table: _Table, hand: _Hand, shares: Shares) -> None:
    """The largest groups first, each to the part that lacks most of this owner's quota."""
    left = [group for group in hand.groups if table.parts[group] == UNDEALT]
    shared = [part for part in _PARTS if shares[part] > 0]
    for group in sorted(left, key=lambda group: -table.sizes[group]):
        lacks = [hand.quota[part] - hand.held[part] for part in shared]
        table.put(hand, group, shared[lacks.index(max(lacks))])


def _balance(table: _Table, shares: Shares) -> None:
    """Groups move from parts with too much to parts with too little while that lowers the deviation."""
    for hand in table.hands:
        for place, group in enumerate(hand.groups):
            if not table.is_fixed[group]:
                # Rising places are a heap already.
                hand.movable[table.parts[group]].append(place)
    held = [sum(hand.held[part] for hand in table.hands) for part in _PARTS]
    excess = [held[part] - shares[part] * sum(held) if shares[part] > 0 else 0.0 for part in _PARTS]
    queues: dict[tuple[int, int], _Queue] = {}
    while _move_one(table, queues, excess):
        pass


def _move_one(table: _Table, queues: dict[tuple[int, int], _Queue], excess: list[float]) -> bool:
    """Whether a group moved; `excess` is then that of after the move."""
    for source, target, below in _openings(excess):
        queue = queues.get((source, target))
        if queue is None:
            queue = queues[source, target] = _Queue(source, target)
            for place, hand in enumerate(table.hands):
                queue.add(hand, place)
        giver = queue.giver(table, below)
        if giver is not None:
            size = _give(table, table.hands[giver], source, target)
            excess[source] -= size
            excess[target] += size
            for each in queues.values():
                each.add(table.hands[giver], giver)
            return True
    return False


def _openings(excess: list[float]) -> list[tuple[int, int, float]]:
    """Source, target and the size that a group must be below, in the order to try.

    Only a move from a part with too much to one with too little, of less than both deviations
    together, lowers the sum of the deviations. First come the moves that bring both parts nearer.
    """
    pairs = [
        (source, target)
        for source in _PARTS
        for target in _PARTS
        if excess[source] > _ROUNDING and excess[target] < -_ROUNDING
    ]
    pairs.sort(key=lambda pair: excess[pair[1]] - excess[pair[0]])
    nearer = [(a, b, 2 * min(excess[a], -excess[b]) - _ROUNDING) for a, b in pairs]
    return nearer + [(a, b, excess[a] - excess[b] - _ROUNDING) for a, b in pairs]


def _give(table: _Table, hand: _Hand, source: int, target: int) -> int:
    """The images of the hand's smallest group in `source`, which now lies in `target`."""
    place = heapq.heappop(hand.movable[source])
    heapq.heappush(hand.movable[target], place)
    table.put(hand, hand.groups[place], target)
    return table.sizes[hand.groups[place]]
