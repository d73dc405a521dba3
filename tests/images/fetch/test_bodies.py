import asyncio
import gzip
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cairn.images.fetch.bodies import Budget, unpacked
from cairn.images.fetch.causes import FetchCause, FetchError
from cairn.images.fetch.deadlines import Clock, Deadlines


def unpack(content: bytes, *codings: str) -> bytes:
    async def work() -> bytes:
        with Budget(1).holding(Clock(Deadlines())) as holding:
            return await unpacked(content, list(codings), most_bytes=1_000_000, holding=holding)

    return asyncio.run(work())


def refused(content: bytes, *codings: str) -> FetchCause:
    with pytest.raises(FetchError) as caught:
        unpack(content, *codings)
    return caught.value.cause


def bare(content: bytes) -> bytes:
    return zlib.compress(content, wbits=-15)


PHOTO = bytes(range(256)) * 100


@pytest.mark.parametrize(
    ("content", "codings"),
    [
        (gzip.compress(PHOTO), ["gzip"]),
        (gzip.compress(PHOTO) + b"\0\0", ["x-gzip"]),
        (zlib.compress(PHOTO), ["deflate"]),
        (bare(PHOTO), ["deflate"]),
        (gzip.compress(zlib.compress(PHOTO)), ["gzip", "deflate"]),
        (PHOTO, []),
    ],
)
def test_packed_photos_come_out_as_they_were(content: bytes, codings: list[str]) -> None:
    assert unpack(content, *codings) == PHOTO


def test_nothing_packed_is_nothing() -> None:
    assert unpack(b"", "gzip") == b""


def test_exactly_the_limit_passes_and_one_more_is_a_bomb() -> None:
    assert len(unpack(gzip.compress(bytes(1_000_000)), "gzip")) == 1_000_000
    assert refused(gzip.compress(bytes(1_000_001)), "gzip") is FetchCause.BOMB


def test_a_packed_body_without_its_end_is_cut_off() -> None:
    assert refused(gzip.compress(PHOTO)[:-9], "gzip") is FetchCause.CUT_OFF


@pytest.mark.parametrize(
    ("content", "codings"),
    [(PHOTO, ["gzip"]), (PHOTO, ["br"]), (gzip.compress(PHOTO), ["gzip"] * 3), (b"\x1f\x8b" + bytes(20), ["gzip"])],
)  # fmt: skip
def test_what_is_not_packed_as_told_is_broken(content: bytes, codings: list[str]) -> None:
    assert refused(content, *codings) is FetchCause.BROKEN


@given(st.binary(max_size=200))
def test_wild_bytes_unpack_or_have_a_cause(content: bytes) -> None:
    try:
        unpack(content, "deflate")
        unpack(b"\x1f\x8b\x08\0" + content, "gzip")
    except FetchError:
        return


MB = 1_000_000
Done = Callable[[str], None]


async def held(
    budget: Budget, name: str, *steps_mb: int, has: Done, until: asyncio.Event | None = None
) -> None:
    """A body that takes memory step by step, and says when it has all."""
    async with Clock(Deadlines(photo_s=0.2)) as clock:
        with budget.holding(clock) as holding:
            for step_mb in steps_mb:
                await holding.up_to(step_mb * MB)
                await asyncio.sleep(0)
            has(name)
            if until is not None:
                async with clock.stopped():
                    await until.wait()


def test_large_bodies_have_their_turn_in_order_and_waiting_meets_no_deadline() -> None:
    async def work() -> list[str]:
        budget, free, order = Budget(10 * MB), asyncio.Event(), list[str]()
        async with asyncio.TaskGroup() as group:
            for name, size_mb in (("a", 6), ("beyond", 9), ("large", 9), ("small", 3)):
                group.create_task(held(budget, name, size_mb, has=order.append, until=free))
            await asyncio.sleep(0.3)
            assert order == ["a", "beyond"]
            free.set()
        return order

    assert asyncio.run(work()) == ["a", "beyond", "large", "small"]


def test_bodies_that_all_grow_never_wait_for_each_other_for_good() -> None:
    async def work() -> list[str]:
        budget, order = Budget(20 * MB), list[str]()
        steps = range(3, 16, 3)
        await asyncio.gather(*(held(budget, str(i), *steps, has=order.append) for i in range(12)))
        return order

    assert len(asyncio.run(asyncio.wait_for(work(), 5))) == 12


def test_who_gives_up_waiting_holds_nothing_and_holds_up_nobody() -> None:
    async def work() -> list[str]:
        budget, free, order = Budget(10 * MB), asyncio.Event(), list[str]()
        names = (("a", 5), ("beyond", 9), ("leaves", 9), ("stays", 4))
        tasks = [
            asyncio.create_task(held(budget, name, size_mb, has=order.append, until=free))
            for name, size_mb in names
        ]
        await asyncio.sleep(0)
        for task in (tasks[1], tasks[2]):
            task.cancel()
        await asyncio.sleep(0.01)
        assert order == ["a", "stays"]
        free.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        return order

    assert asyncio.run(work()) == ["a", "stays"]


def test_what_is_unpacked_takes_from_the_budget() -> None:
    async def work() -> int:
        with Budget(1).holding(Clock(Deadlines())) as holding:
            packed = gzip.compress(bytes(5 * MB))
            await unpacked(packed, ["gzip"], most_bytes=6 * MB, holding=holding)
            return holding.n_bytes

    assert asyncio.run(work()) >= 5 * MB
