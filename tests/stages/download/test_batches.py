import asyncio
import threading
from collections.abc import Callable, Sequence

from cairn.base.errors import DiskError
from cairn.images.keeping import KeptImage
from cairn.stages.download.batches import GATHER_S, MOST_BYTES, MOST_IMAGES, Batches


def image(n_bytes: int = 10) -> KeptImage:
    return KeptImage(bytes(n_bytes), ".jpg", 4, 3, "aa", "bb", b"like")


class Disk:
    """Where images go; `on_write` is called first and may raise."""

    n_writers = 1

    def __init__(self, on_write: Callable[[list[int]], object] = lambda indices: None) -> None:
        self.batches: list[list[int]] = []
        self._on_write = on_write

    def write(self, images: Sequence[tuple[int, KeptImage]]) -> list[str | DiskError]:
        indices = [index for index, _ in images]
        self._on_write(indices)
        self.batches.append(indices)
        return [DiskError("odd") if index % 2 else f"images/{index}" for index in indices]

    def flush(self) -> None:
        pass


def ends_of(disk: Disk, images: Sequence[KeptImage]) -> list[str | BaseException]:
    """What everybody learned who asked for one of `images` to be written, all at once."""

    async def all_written() -> list[str | BaseException]:
        batches = Batches(disk)
        try:
            asked = (batches.write(i, one) for i, one in enumerate(images))
            return await asyncio.gather(*asked, return_exceptions=True)
        finally:
            batches.close()

    return asyncio.run(all_written())


def test_images_that_come_together_are_written_together_and_each_end_is_its_own() -> None:
    disk = Disk()
    ends = ends_of(disk, [image()] * 5)
    assert disk.batches == [[0, 1, 2, 3, 4]]
    assert [str(end) for end in ends] == ["images/0", "odd", "images/2", "odd", "images/4"]
    assert [isinstance(end, DiskError) for end in ends] == [False, True] * 2 + [False]


def test_a_full_batch_waits_for_nobody_and_the_rest_is_not_forgotten() -> None:
    disk = Disk()
    ends_of(disk, [image()] * (2 * MOST_IMAGES + 1))
    assert [len(batch) for batch in disk.batches] == [MOST_IMAGES, MOST_IMAGES, 1]


def test_large_images_do_not_gather() -> None:
    disk = Disk()
    ends_of(disk, [image(MOST_BYTES)] * 2)
    assert disk.batches == [[0], [1]]


def test_what_the_output_raises_reaches_everybody_of_the_batch() -> None:
    def broken(indices: list[int]) -> None:
        raise ZeroDivisionError

    assert [type(end) for end in ends_of(Disk(broken), [image()] * 3)] == [ZeroDivisionError] * 3


def test_who_has_left_is_not_written() -> None:
    disk = Disk()

    async def one_leaves() -> str:
        batches = Batches(disk)
        leaving = asyncio.create_task(batches.write(0, image()))
        staying = asyncio.create_task(batches.write(2, image()))
        await asyncio.sleep(0)
        leaving.cancel()
        end = await staying
        batches.close()
        return end

    assert asyncio.run(one_leaves()) == "images/2"
    assert disk.batches == [[2]]


def test_closing_waits_for_what_is_being_written_and_drops_what_is_not() -> None:
    is_writing, may_end = threading.Event(), threading.Event()

    def slowly(indices: list[int]) -> None:
        is_writing.set()
        assert may_end.wait(10)

    disk = Disk(slowly)

    async def left() -> list[asyncio.Task[str]]:
        batches = Batches(disk)
        tasks = [asyncio.create_task(batches.write(0, image()))]
        await asyncio.sleep(2 * GATHER_S)
        assert is_writing.wait(10)
        tasks += [asyncio.create_task(batches.write(2, image()))]
        await asyncio.sleep(2 * GATHER_S)
        threading.Timer(0.05, may_end.set).start()
        batches.close()
        await asyncio.sleep(0.01)
        return tasks

    async def all_ends() -> list[str | BaseException]:
        return await asyncio.gather(*(await left()), return_exceptions=True)

    ends = asyncio.run(all_ends())
    assert disk.batches == [[0]]
    assert ends[0] == "images/0"
    assert isinstance(ends[1], asyncio.CancelledError)
