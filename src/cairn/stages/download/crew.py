"""The crew of a download: fetches, has photos decoded, keeps them and tells the journal, many at once."""

import asyncio
import contextlib
from itertools import islice

from cairn.images.fetch.addresses import checked_address
from cairn.images.fetch.causes import PASSING, FetchCause, FetchError
from cairn.images.fetch.client import MOST_REDIRECTS, Reply
from cairn.images.fetch.manners import Verdict, backoff_s
from cairn.images.pixels import Cause, PixelError
from cairn.records.catalog import FAILED
from cairn.stages.download.books import Books, kept_outcome
from cairn.stages.download.journal import Outcome
from cairn.stages.download.orders import Ended, Hands, Orders
from cairn.stages.download.progress import Rate, Snapshot, Stopping, Tell
from cairn.stages.download.schedule import Task
from cairn.stages.download.ticking import StopNow, first_of, ticking

# A host that asks for patience gets more of it than one that breaks.
BUSY_PATIENCE = 3
GIVEN_UP_AT_ONCE = 1000
LOOK_AGAIN_S = 1.0
# The second address is at the same host: where that cannot be reached, asking twice helps nobody.
NO_SECOND_ADDRESS = frozenset(
    {
        FetchCause.OPTED_OUT,
        FetchCause.PRIVATE,
        FetchCause.NO_CONTACT,
        FetchCause.UNKNOWN_HOST,
        FetchCause.NOT_RESOLVED,
        FetchCause.NO_CONNECTION,
        FetchCause.NO_CONNECTION_IN_TIME,
        FetchCause.CERTIFICATE,
    }
)
# What the decoders say of a photo that lost its end on the way.
MAYBE_CUT_OFF = frozenset({Cause.TRUNCATED, Cause.EMPTY})


class Crew:
    """One run over the rows of a schedule; `run` is called once."""

    def __init__(self, orders: Orders, hands: Hands, *, stopping: Stopping, tell: Tell) -> None:
        self._orders, self._hands = orders, hands
        self._stopping, self._tell = stopping, tell
        self._books = Books(
            hands.output, hands.journal, hands.room, ends=lambda: self._ends, counts=hands.counts
        )
        self._counts = self._books.counts
        self._slots = asyncio.Semaphore(orders.concurrency)
        self._changed = asyncio.Event()
        self._n_running = 0
        self._failed_too_often = False
        self._started = hands.clock()
        self._rate = Rate()

    async def run(self) -> Ended:
        """How it ended; what ended before is in the journal, also after an error.

        Raises what the journal, the decoders or the output raise when they cannot go on.
        """
        loop = asyncio.get_running_loop()
        self._stopping.listen(lambda: loop.call_soon_threadsafe(self._changed.set))
        try:
            with contextlib.suppress(StopNow):
                await self._all_work()
        finally:
            self._stopping.listen(None)
            self._books.close()
            self._tell(self._snapshot())
        return Ended(
            self._counts,
            was_stopped=self._stopping.is_draining,
            failed_too_often=self._failed_too_often,
            was_cut=self._stopping.is_stopping,
        )

    async def _all_work(self) -> None:
        """The ticker and every row, together; the first error of any ends them all and is raised alone."""
        try:
            async with asyncio.TaskGroup() as group:
                ticker = group.create_task(ticking(self._tick, self._stopping))
                while (task := await self._next_task()) is not None:
                    self._n_running += 1
                    group.create_task(self._one(task))
                while self._n_running:
                    await self._change(LOOK_AGAIN_S)
                self._books.record()
                # Where the disk is full for the journal, the ticker goes on trying.
                while not self._books.is_recorded:
                    await self._change(LOOK_AGAIN_S)
                ticker.cancel()
        except BaseExceptionGroup as errors:
            raise first_of(errors) from None

    async def _next_task(self) -> Task | None:
        """The next task whose host may be asked, once there is a free slot; None when all is begun."""
        await self._slots.acquire()
        while not self._ends:
            now = self._hands.clock()
            delay_s = LOOK_AGAIN_S
            if self._hands.room.shortage(now) is None:
                self._end_given_up()
                task, look_at = self._orders.schedule.next(now)
                if task is not None:
                    return task
                if not self._n_running and self._orders.schedule.is_empty:
                    break
                delay_s = min(max(look_at - now, 0.0), LOOK_AGAIN_S)
            await self._change(delay_s)
        self._slots.release()
        return None

    @property
    def _ends(self) -> bool:
        return self._stopping.is_draining or self._failed_too_often

    async def _change(self, most_s: float) -> None:
        """Nothing, as soon as something has ended or been asked, or after `most_s` seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(most_s):
                await self._changed.wait()
        self._changed.clear()

    async def _one(self, task: Task) -> None:
        try:
            await self._try(task)
        finally:
            self._n_running -= 1
            self._slots.release()
            self._changed.set()

    async def _try(self, task: Task) -> None:
        """One request for `task`, and what follows from its answer."""
        schedule = self._orders.schedule
        refusal = self._orders.refusal(task.host)
        if refusal is not None:
            schedule.finished(task.host, Verdict.OFF_LIMITS, self._hands.clock())
            self._fail(task, FetchCause.NO_CONTACT, refusal)
            return
        try:
            reply = await self._hands.client.hop(checked_address(task.url), spent_s=task.spent_s)
        except (FetchError, PixelError) as error:
            verdict, retry_after_s = _verdict(error)
            now = self._hands.clock()
            schedule.finished(task.host, verdict, now, retry_after_s=retry_after_s)
            self._after(task, error, now)
            return
        schedule.finished(task.host, Verdict.OK, self._hands.clock())
        if reply.location is not None:
            self._redirected(task, reply, reply.location)
        else:
            await self._keep(task, reply)

    def _after(self, task: Task, error: FetchError | PixelError, now: float) -> None:
        """Another try, another address, or the end of a row whose request brought no photo."""
        task.spent_s = 0.0
        if isinstance(error, FetchError) and error.cause in PASSING:
            is_patient = error.cause == FetchCause.BUSY or not error.is_hosts_fault
            patience = BUSY_PATIENCE if is_patient else 1
            if task.attempt < self._orders.attempts * patience:
                delay_s = backoff_s(task.attempt, self._orders.rng, error.retry_after_s)
                task.attempt += 1
                self._orders.schedule.retry(task, now + delay_s)
                return
        if task.original is not None and error.cause not in NO_SECOND_ADDRESS:
            first, task.original = task.original, None
            task.n_redirects, task.attempt = 0, 1
            self._orders.schedule.moved(task, first, now)
            return
        status = error.http_status if isinstance(error, FetchError) else None
        detail = error.detail if isinstance(error, FetchError) else str(error)
        self._fail(task, error.cause, detail, status)

    def _redirected(self, task: Task, reply: Reply, location: str) -> None:
        now = self._hands.clock()
        if task.n_redirects == MOST_REDIRECTS:
            detail = f"{MOST_REDIRECTS} redirects, and then one more, to {location}"
            self._after(
                task, FetchError(FetchCause.REDIRECTS, detail, http_status=reply.status), now
            )
        else:
            task.n_redirects += 1
            task.spent_s = reply.spent_s
            self._orders.schedule.moved(task, location, now)

    async def _keep(self, task: Task, reply: Reply) -> None:
        """The photo of `reply`, checked, normalised, written and remembered."""
        try:
            with self._hands.backlog.holding(len(reply.content)):
                image = await self._hands.decoders.keep(reply.content)
        except PixelError as error:
            self._after(task, _on_the_way(error, reply), self._hands.clock())
            return
        path = await self._books.written(task.index, image)
        if path is not None:
            self._books.add(
                kept_outcome(
                    image,
                    key=self._orders.key_of(task.index),
                    path=path,
                    fetched_from=reply.url,
                    attempts=task.attempt,
                    at_s=self._hands.wall_clock(),
                    http_status=reply.status,
                )
            )

    def _fail(self, task: Task, cause: str, detail: str, http_status: int | None = None) -> None:
        self._books.add(
            Outcome(
                key=self._orders.key_of(task.index),
                status=FAILED,
                cause=str(cause),
                detail=detail,
                fetched_from=task.url,
                http_status=http_status,
                attempts=task.attempt,
                fetched_at_ms=round(self._hands.wall_clock() * 1000),
            )
        )
        if self._orders.is_too_much(self._counts.n_done, self._counts.n_failed):
            self._failed_too_often = True

    def _end_given_up(self) -> None:
        """Some rows of hosts that were given up end without a request; the loop must not wait for all."""
        for task in islice(self._orders.schedule.given_up(), GIVEN_UP_AT_ONCE):
            match self._orders.schedule.given_up_for(task.host):
                case Verdict.ABSENT:
                    cause, detail = (
                        FetchCause.UNKNOWN_HOST,
                        f"{task.host} had no address, asked anew",
                    )
                case Verdict.OFF_LIMITS:
                    refusal = self._orders.refusal(task.host)
                    cause, detail = FetchCause.NO_CONTACT, refusal or "it may not be asked"
                case _:
                    cause = FetchCause.HOST_GIVEN_UP
                    detail = (
                        f"{task.host} did not answer well for long; the same command tries it anew"
                    )
            self._fail(task, cause, detail)
            if self._ends:
                return

    def _tick(self) -> None:
        self._books.record()
        self._tell(self._snapshot())

    def _snapshot(self) -> Snapshot:
        now = self._hands.clock()
        rate = self._rate.at(now, self._counts.n_done)
        left = self._orders.n_rows - self._counts.n_done
        return Snapshot(
            n_rows=self._orders.n_rows,
            n_kept=self._counts.n_kept,
            n_failed=self._counts.n_failed,
            n_running=self._n_running,
            bytes_received=self._counts.bytes_received,
            elapsed_s=now - self._started,
            rows_per_s=rate,
            eta_s=left / rate if rate else None,
            causes=dict(self._counts.causes.most_common()),
            hosts=tuple(self._orders.schedule.host_states()),
            waits_for=None if self._ends else self._hands.room.shortage(now),
        )


def _on_the_way(error: PixelError, reply: Reply) -> FetchError | PixelError:
    """`error`, but where nobody told how long the photo is, a lost end is the network's doing and may be there next time."""
    if reply.is_bounded or error.cause not in MAYBE_CUT_OFF:
        return error
    return FetchError(FetchCause.CUT_OFF, str(error), http_status=reply.status)


def _verdict(error: FetchError | PixelError) -> tuple[Verdict, float | None]:
    """What an error says of its host: one that answers, whatever it answers, is one that works."""
    if isinstance(error, PixelError):
        return Verdict.OK, None
    if not error.is_hosts_fault:
        return Verdict.UNASKED, None
    named = {FetchCause.BUSY: Verdict.BUSY, FetchCause.UNKNOWN_HOST: Verdict.ABSENT}
    otherwise = Verdict.FAILING if error.cause in PASSING else Verdict.OK
    return named.get(error.cause, otherwise), error.retry_after_s
