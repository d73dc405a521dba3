"""The photos that came and wait to be decoded: while they are too many bytes, no more are read."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

MOST_BYTES = 64_000_000


class Backlog:
    """How many bytes wait; memory stays bounded, however much faster the hosts are than the decoders."""

    def __init__(self, *, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._n_bytes = 0
        self._has_room = asyncio.Event()
        self._has_room.set()

    @contextmanager
    def holding(self, n_bytes: int) -> Iterator[None]:
        """Inside it so many bytes more wait."""
        self._change(n_bytes)
        try:
            yield
        finally:
            self._change(-n_bytes)

    async def room(self) -> None:
        """Nothing, once there is room for more."""
        while not self._has_room.is_set():
            await self._has_room.wait()

    def _change(self, n_bytes: int) -> None:
        self._n_bytes += n_bytes
        if self._n_bytes <= self._most_bytes:
            self._has_room.set()
        else:
            self._has_room.clear()
