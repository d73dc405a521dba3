"""Batches: images on their way to the disk that are written together, since flushing many costs little more than one."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from cairn.base.errors import DiskError
from cairn.images.keeping import KeptImage
from cairn.stages.download.orders import Output

# An image waits at most so long for others, and a batch holds at most so many, or so many bytes and one more.
GATHER_S = 0.05
MOST_IMAGES = 32
MOST_BYTES = 8_000_000
# A row of the plan, its image, and who waits for the place where it lies.
Waiting = tuple[int, KeptImage, asyncio.Future[str]]


class Batches:
    """Has images written by threads of its own, some at a time; to be closed in the end."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._writers = ThreadPoolExecutor(output.n_writers, thread_name_prefix="keep")
        self._waiting: list[Waiting] = []
        self._n_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    async def write(self, index: int, image: KeptImage) -> str:
        """Where the image of row `index` lies once it is whole; raises what the output says of it."""
        loop = asyncio.get_running_loop()
        place: asyncio.Future[str] = loop.create_future()
        self._waiting.append((index, image, place))
        self._n_bytes += len(image.content)
        if len(self._waiting) >= MOST_IMAGES or self._n_bytes >= MOST_BYTES:
            self._begin(loop)
        elif self._timer is None:
            self._timer = loop.call_later(GATHER_S, self._begin, loop)
        return await place

    def close(self) -> None:
        """No image is being written; those that waited are not."""
        if self._timer is not None:
            self._timer.cancel()
        self._writers.shutdown(wait=True, cancel_futures=True)

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """What has gathered is written as soon as a thread is free."""
        if self._timer is not None:
            self._timer.cancel()
        # Who was told to leave meanwhile waits no more.
        batch = [waiting for waiting in self._waiting if not waiting[2].done()]
        self._waiting, self._n_bytes, self._timer = [], 0, None
        if batch:
            images = [(index, image) for index, image, _ in batch]
            job = loop.run_in_executor(self._writers, self._output.write, images)
            job.add_done_callback(partial(_tell, batch))


def _tell(batch: list[Waiting], job: asyncio.Future[list[str | DiskError]]) -> None:
    """All who still wait for an image of `batch` learn what became of it."""
    error = None if job.cancelled() else job.exception()
    for i, (_, _, place) in enumerate(batch):
        if place.done():
            continue
        if job.cancelled():
            place.cancel()
        elif error is not None:
            place.set_exception(error)
        else:
            end = job.result()[i]
            if isinstance(end, DiskError):
                place.set_exception(end)
            else:
                place.set_result(end)
