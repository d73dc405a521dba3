"""The crew of a part's tars: fetches one while it reads another, and keeps what is looked for, many photos at once."""

import asyncio
import contextlib
import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from cairn.images.fetch.addresses import host_of
from cairn.images.fetch.causes import FetchError
from cairn.images.fetch.manners import Doing
from cairn.images.pixels import Cause, PixelError
from cairn.records.catalog import FAILED
from cairn.stages.download.books import Books, kept_outcome
from cairn.stages.download.journal import Outcome
from cairn.stages.download.orders import Ended
from cairn.stages.download.progress import Rate, Snapshot, Stopping, Tell
from cairn.stages.download.schedule import HostState
from cairn.stages.download.space import when_there_is_room
from cairn.stages.download.ticking import TICK_S, StopNow, first_of, ticking
from cairn.stages.gld.tar_orders import TarHands, TarOrders
from cairn.stages.gld.tars import Member, TarError, TarReader, member_name

# One is read while the next is fetched or waits.
TARS_ON_DISK = 2
# So many in a row that cannot be had say more of their host than of themselves.
MOST_LOST_IN_A_ROW = 3
LOOK_AGAIN_S = 0.2


class TarCrew:
    """One run over some tars; `run` is called once."""

    def __init__(
        self, orders: TarOrders, hands: TarHands, *, stopping: Stopping, tell: Tell
    ) -> None:
        self._orders, self._hands = orders, hands
        self._stopping, self._tell = stopping, tell
        self._books = Books(
            hands.output, hands.journal, hands.room, ends=lambda: self._ends, counts=hands.counts
        )
        self._slots = asyncio.Semaphore(orders.n_at_once)
        self._on_disk = asyncio.Semaphore(TARS_ON_DISK)
        self._ready: asyncio.Queue[tuple[str, Path] | None] = asyncio.Queue()
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="read")
        self._n_running = self._n_fetching = self._n_fetched = self._n_lost_in_a_row = 0
        self._failed_too_often = False
        self._started = hands.clock()
        self._rate = Rate()

    async def run(self) -> Ended:
        """How it ended; what ended before is in the journal, also after an error.

        Raises what the journal, the decoders or the output raise when they cannot go on.
        """
        try:
            with contextlib.suppress(StopNow):
                await self._all_work()
        finally:
            self._reader.shutdown(wait=True)
            self._books.close()
            self._tell(self._snapshot())
        return Ended(
            self._books.counts,
            was_stopped=self._stopping.is_draining,
            failed_too_often=self._failed_too_often,
            was_cut=self._stopping.is_stopping,
        )

    async def _all_work(self) -> None:
        """The ticker, the fetching and the reading, together; the first error of any ends them all."""
        try:
            async with asyncio.TaskGroup() as group:
                ticker = group.create_task(ticking(self._tick, self._stopping))
                fetching = group.create_task(self._fetch_all())
                while (ready := await self._next_ready()) is not None:
                    await self._read(*ready)
                    self._on_disk.release()
                # A tar that is cut off here goes on at its last byte in another run.
                fetching.cancel()
                ticker.cancel()
        except BaseExceptionGroup as errors:
            raise first_of(errors) from None

    @property
    def _ends(self) -> bool:
        return self._stopping.is_draining or self._failed_too_often

    async def _fetch_all(self) -> None:
        """Each tar in turn is ready to be read, or noted as one that cannot be had."""
        for tar in self._orders.tars:
            await self._on_disk.acquire()
            self._n_fetching = 1
            path = await self._fetched(tar)
            self._n_fetching = 0
            self._n_fetched += 1
            if path is not None:
                self._ready.put_nowait((tar, path))
                continue
            self._on_disk.release()
            if self._n_lost_in_a_row == MOST_LOST_IN_A_ROW:
                self._hands.note(
                    f"{MOST_LOST_IN_A_ROW} tars in a row could not be had: the others are left for another run"
                )
                break
        self._ready.put_nowait(None)

    async def _fetched(self, tar: str) -> Path | None:
        """Where the tar lies; None where it cannot be had. While the disk is full, it is waited for."""
        try:
            path = await when_there_is_room(
                partial(self._hands.tars.tar, tar), self._hands.room, ends=lambda: self._ends
            )
        except (FetchError, TarError) as error:
            self._n_lost_in_a_row += 1
            self._hands.note(f"{tar}: {error}")
            return None
        self._n_lost_in_a_row = 0
        return path

    async def _next_ready(self) -> tuple[str, Path] | None:
        """The next tar that is here; None when there is none any more, or all is to end."""
        while not self._ends:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AGAIN_S):
                    return await self._ready.get()
        return None

    async def _read(self, tar: str, path: Path) -> None:
        """Every photo of the tar that is looked for has its end, and then the tar has its own."""
        ids: list[int] = []
        reader = TarReader(
            path,
            max_bytes=self._orders.max_bytes,
            wanted=lambda image_id: self._meet(image_id, ids),
        )
        members = iter(reader)
        try:
            async with asyncio.TaskGroup() as group:
                problem = await self._deal(tar, members, group)
        finally:
            await asyncio.get_running_loop().run_in_executor(self._reader, members.close)
        for image_id in reader.too_large:
            self._refuse_size(tar, image_id)
        if isinstance(problem, TarError):
            self._hands.note(f"{tar}: {problem}")
            await self._remembered(partial(self._hands.tars.failed, tar, problem))
        elif problem is None and await self._is_recorded():
            met = np.unique(np.array(ids, np.uint64))
            await self._remembered(partial(self._hands.tars.done, tar, reader, ids=met))

    def _meet(self, image_id: str, ids: list[int]) -> bool:
        """Whether a photo that the tar holds is looked for; its id is noted either way."""
        ids.append(int(image_id, 16))
        return image_id in self._orders.sought

    async def _deal(
        self, tar: str, members: Iterator[Member], group: asyncio.TaskGroup
    ) -> TarError | StopNow | None:
        """Each photo of the tar that is looked for is in work; why not each, where the end was not reached."""
        loop = asyncio.get_running_loop()
        while True:
            await self._room()
            if self._ends:
                return StopNow()
            await self._slots.acquire()
            try:
                member = await loop.run_in_executor(self._reader, next, members, None)
            except TarError as error:
                self._slots.release()
                return error
            index = self._orders.sought.take(member.image_id) if member is not None else None
            if member is None or index is None:
                self._slots.release()
            if member is None:
                return None
            if index is not None:
                self._n_running += 1
                group.create_task(self._one(tar, index, member))

    async def _room(self) -> None:
        """Nothing, once the disk has room for more, or all is to end."""
        while not self._ends and self._hands.room.shortage(self._hands.clock()) is not None:
            await asyncio.sleep(LOOK_AGAIN_S)

    async def _one(self, tar: str, index: int, member: Member) -> None:
        try:
            await self._keep(tar, index, member)
        finally:
            self._n_running -= 1
            self._slots.release()

    async def _keep(self, tar: str, index: int, member: Member) -> None:
        """The photo, checked, normalised, written and remembered."""
        try:
            image = await self._hands.decoders.keep(member.content)
        except PixelError as error:
            self._fail(tar, index, member.name, error.cause, str(error))
            return
        path = await self._books.written(index, image)
        if path is not None:
            self._books.add(
                kept_outcome(
                    image,
                    key=self._orders.key_of(index),
                    path=path,
                    fetched_from=self._source(tar, member.name),
                    attempts=1,
                    at_s=self._hands.wall_clock(),
                )
            )

    def _refuse_size(self, tar: str, image_id: str) -> None:
        index = self._orders.sought.take(image_id)
        if index is not None:
            most = f"it has more than {self._orders.max_bytes:,} bytes; raise --max-bytes"
            self._fail(tar, index, member_name(image_id), Cause.TOO_MANY_BYTES, most)

    def _fail(self, tar: str, index: int, name: str, cause: Cause, detail: str) -> None:
        self._books.add(
            Outcome(
                key=self._orders.key_of(index),
                status=FAILED,
                cause=str(cause),
                detail=detail,
                fetched_from=self._source(tar, name),
                attempts=1,
                fetched_at_ms=round(self._hands.wall_clock() * 1000),
            )
        )
        counts = self._books.counts
        if self._orders.is_too_much(counts.n_done, counts.n_failed):
            self._failed_too_often = True

    def _source(self, tar: str, name: str) -> str:
        return f"{self._orders.address_of(tar)}#{name}"

    async def _is_recorded(self) -> bool:
        """Whether the journal knows of every photo; while the disk is full, it is waited for."""
        self._books.record()
        while not self._books.is_recorded and not self._ends:
            await asyncio.sleep(TICK_S)
        return self._books.is_recorded

    async def _remembered(self, remember: Callable[[], None]) -> None:
        """What became of a tar is on the disk."""

        async def work() -> None:
            remember()

        await when_there_is_room(work, self._hands.room, ends=lambda: self._ends)

    def _tick(self) -> None:
        self._books.record()
        self._tell(self._snapshot())

    def _snapshot(self) -> Snapshot:
        now, counts, orders = self._hands.clock(), self._books.counts, self._orders
        rate = self._rate.at(now, counts.n_done)
        left = max(orders.n_rows - counts.n_done, 0)
        n_waiting = len(orders.tars) - self._n_fetched - self._n_fetching
        doing = Doing.RUNNING if self._n_fetching else Doing.WAITING
        host = host_of(orders.address_of(orders.tars[0])) if orders.tars else ""
        state = HostState(host, n_waiting, self._n_fetching, doing, math.inf, counts.bytes_received)
        return Snapshot(
            n_rows=max(orders.n_rows, counts.n_done),
            n_kept=counts.n_kept,
            n_failed=counts.n_failed,
            n_running=self._n_running,
            bytes_received=counts.bytes_received,
            elapsed_s=now - self._started,
            rows_per_s=rate,
            eta_s=left / rate if rate else None,
            causes=dict(counts.causes.most_common()),
            hosts=(state,) if host else (),
            waits_for=None if self._ends else self._hands.room.shortage(now),
        )
