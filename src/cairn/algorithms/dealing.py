"""Dealing groups of images to parts, so that each owner keeps its promises and the sums fit the shares.

An owner is a landmark, or the distractors. Each owner first gets what is promised to it, then its
groups go where its own quota lacks most; at last groups move from parts that hold too much to parts
that hold too little over all owners, as long as no promise breaks.
"""

import heapq
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

UNDEALT = -1
IntArray = npt.NDArray[np.int64]


@dataclass
class _Hand:
    """The groups of one owner: `held` images and `counts` groups in each part, `quota` images wanted."""

    groups: list[int]
    quota: npt.NDArray[np.float64]
    promised: list[int]
    held: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))
    counts: IntArray = field(default_factory=lambda: np.zeros(3, dtype=np.int64))

    def gain(self, source: int, target: int) -> float:
        """How much nearer this owner's own quota a move brings it; higher is better."""
        surplus = self.held - self.quota
        return float(surplus[source] - surplus[target])

    def may_leave(self, part: int) -> bool:
        """Whether a group may leave `part` without breaking a promise."""
        return bool(self.counts[part] > (part in self.promised))


@dataclass
class _Table:
    """All hands at once; `parts` [G] is what is being filled in."""

    sizes: IntArray
    fixed: npt.NDArray[np.bool_]
    parts: IntArray
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


def deal(
    sizes: IntArray,
    owners: IntArray,
    fixed: IntArray,
    *,
    shares: tuple[float, float, float],
    rng: np.random.Generator,
) -> IntArray:
    """The part 0 (train), 1 (val) or 2 (test) of each group.

    sizes: [G] images in each group. owners: [G] from 0, every number used.
    fixed: [G] a part where the group must stay, or -1.
    An owner of one group has it in train; of two, one each in train and test (or val where test has
    no share); of three or more, at least one in every part with a share. Among what the promises leave
    open, the sums over all owners come as near to `shares` as whole groups allow.
    """
    table = _laid_out(sizes, owners, fixed, np.array(shares), rng)
    for hand in table.hands:
        _keep_promises(table, hand)
        _fill_quota(table, hand, np.array(shares))
    _balance(table, np.array(shares))
    return table.parts


def _laid_out(
    sizes: IntArray, owners: IntArray, fixed: IntArray, shares: npt.NDArray[np.float64],
    rng: np.random.Generator,
) -> _Table:  # fmt: skip
    n_owners = int(owners.max(initial=-1)) + 1
    groups_of: list[list[int]] = [[] for _ in range(n_owners)]
    for group in rng.permutation(len(sizes)).tolist():
        groups_of[owners[group]].append(group)
    table = _Table(sizes, fixed != UNDEALT, np.full(len(sizes), UNDEALT, dtype=np.int64), [])
    for groups in groups_of:
        promised = [part for part in (0, 2, 1) if shares[part] > 0][: len(groups)]
        hand = _Hand(groups, shares * sizes[groups].sum(), promised)
        table.hands.append(hand)
        for group in groups:
            if fixed[group] != UNDEALT:
                table.put(hand, group, int(fixed[group]))
    return table


def _keep_promises(table: _Table, hand: _Hand) -> None:
    """Each promised part holds a group, the smallest one for val and test, while groups are left."""
    left = [group for group in hand.groups if table.parts[group] == UNDEALT]
    left.sort(key=lambda group: table.sizes[group])
    for part in [p for p in hand.promised if hand.counts[p] == 0]:
        if left:
            table.put(hand, left.pop(-1 if part == 0 else 0), part)


def _fill_quota(table: _Table, hand: _Hand, shares: npt.NDArray[np.float64]) -> None:
    """The largest groups first, each to the part that lacks most of this owner's quota."""
    left = [group for group in hand.groups if table.parts[group] == UNDEALT]
    for group in sorted(left, key=lambda group: -table.sizes[group]):
        lack = np.where(shares > 0, hand.quota - hand.held, -np.inf)
        table.put(hand, group, int(lack.argmax()))


def _balance(table: _Table, shares: npt.NDArray[np.float64]) -> None:
    """Groups move from the fullest part to the emptiest while that brings the sums nearer the shares."""
    totals = np.sum([hand.held for hand in table.hands], axis=0)
    wanted = shares * totals.sum()
    heaps: dict[tuple[int, int], list[tuple[float, int]]] = {}
    while True:
        excess = np.where(shares > 0, totals - wanted, 0.0)
        source, target = int(excess.argmax()), int(excess.argmin())
        room = min(excess[source], -excess[target])
        if room <= 0.5:
            return
        heap = heaps.setdefault((source, target), _heap(table, source, target))
        moved = _move_one(table, heap, source, target, 2 * room)
        if moved == 0:
            return
        totals[source] -= moved
        totals[target] += moved


def _heap(table: _Table, source: int, target: int) -> list[tuple[float, int]]:
    heap = [(-hand.gain(source, target), place) for place, hand in enumerate(table.hands)]
    heapq.heapify(heap)
    return heap


def _move_one(
    table: _Table, heap: list[tuple[float, int]], source: int, target: int, below: float
) -> int:
    """The images of the group that moved, from the owner who gains most; 0 where none may move."""
    while heap:
        gain, place = heapq.heappop(heap)
        hand = table.hands[place]
        if -gain > hand.gain(source, target) + 1e-9:
            heapq.heappush(heap, (-hand.gain(source, target), place))
            continue
        group = _movable(table, hand, source, below)
        if group is not None:
            table.put(hand, group, target)
            heapq.heappush(heap, (-hand.gain(source, target), place))
            return int(table.sizes[group])
    return 0


def _movable(table: _Table, hand: _Hand, source: int, below: float) -> int | None:
    if not hand.may_leave(source):
        return None
    groups = (g for g in hand.groups if table.parts[g] == source and not table.fixed[g])
    return next((group for group in groups if table.sizes[group] < below), None)
