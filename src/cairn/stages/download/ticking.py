"""The clockwork of a crew: what happens twice a second, how a stop ends all work, and which error is told."""

import asyncio
import contextlib
from collections.abc import Callable

from cairn.base.errors import CairnError
from cairn.stages.download.progress import Stopping

TICK_S = 0.5


class StopNow(Exception):
    """Asked twice to stop: what was begun is left for another run."""


async def ticking(tick: Callable[[], None], stopping: Stopping) -> None:
    """Ticks twice a second until it is cancelled; raises StopNow once a stop is asked for."""
    while True:
        tick()
        if stopping.is_stopping:
            raise StopNow
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TICK_S):
                while not stopping.is_stopping:
                    await asyncio.sleep(TICK_S / 5)


def first_of(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that is to be told: one of ours before a stop before any other."""
    flat: list[BaseException] = []
    waiting: list[BaseException] = [errors]
    while waiting:
        error = waiting.pop()
        if isinstance(error, BaseExceptionGroup):
            waiting += error.exceptions
        else:
            flat.append(error)
    for kind in (CairnError, StopNow):
        for error in flat:
            if isinstance(error, kind):
                return error
    return flat[0]
