"""Names of hosts to IP addresses that may be connected to: checked, cached, in time, and never holding anything up."""

import asyncio
import math
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from aiohttp.abc import AbstractResolver, ResolveResult

from cairn.images.fetch.addresses import is_public
from cairn.images.fetch.causes import FetchCause, FetchError
from cairn.images.fetch.failures import check_files

Lookup = Callable[[str, int], Sequence[str]]

MOST_CACHED = 20_000
# A name waits for its turn as long as so many lookups may take, one behind the other.
MOST_TURNS = 6
# Lookups that hang cannot be ended; past so many, new names are refused for the moment.
MOST_HANGING = 64
# Names that lead inside by what they are, wherever they are looked up.
_INSIDE = ("localhost", "local", "internal", "home.arpa")
_SAYS_NO_SUCH_NAME = frozenset(
    getattr(socket, name)
    for name in ("EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY")
    if hasattr(socket, name)
)


def system_lookup(host: str, port: int) -> list[str]:
    """The IP addresses of `host` as this machine resolves names, best first.

    Raises OSError (socket.gaierror) where there are none.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@dataclass(frozen=True, slots=True)
class _Answer:
    addresses: tuple[str, ...]
    cause: FetchCause | None = None
    detail: str = ""
    until: float = math.inf
    is_hosts_fault: bool = True


class _NotAsked(Exception):
    """There was no thread for a lookup, or no turn: it says nothing about the name."""


class Resolver(AbstractResolver):
    """Where a host lives: only addresses that may be connected to, and one lookup for all who ask at once.

    allow_private: also addresses inside the own network.
    deadline_s: seconds for one lookup; its thread may hang on, nothing waits for it. A name whose turn does not come
        within six times as long is not looked up.
    lookup: host and port to IP addresses; raises OSError where there are none. It runs in threads.
    n_threads: lookups at once.
    ttl_s, failure_ttl_s: seconds for which an answer, and a failure, is good.
    """

    def __init__(
        self,
        *,
        allow_private: bool,
        deadline_s: float,
        lookup: Lookup = system_lookup,
        n_threads: int = 16,
        ttl_s: float = 300.0,
        failure_ttl_s: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.allow_private = allow_private
        self._deadline_s = deadline_s
        self._lookup = lookup
        self._ttl_s = ttl_s
        self._failure_ttl_s = failure_ttl_s
        self._clock = clock
        self._slots = asyncio.Semaphore(n_threads)
        self._cache: dict[str, _Answer] = {}
        self._running: dict[str, asyncio.Task[_Answer]] = {}
        self._threads: set[threading.Thread] = set()

    async def addresses(self, host: str, port: int = 0) -> tuple[str, ...]:
        """The IP addresses that `host` may be reached at; those that may not be asked are left out.

        Raises FetchError: UNKNOWN_HOST, NOT_RESOLVED, or PRIVATE where no address is left.
        """
        found = await self.unchecked(host, port)
        allowed = found if self.allow_private else tuple(filter(is_public, found))
        if not allowed:
            raise private(host, found)
        return allowed

    def check_literal(self, host: str) -> None:
        """Raise FetchError (PRIVATE) if `host` may not be asked by what it is: an address, or a name for inside.

        Names are not looked up: this is for those that a proxy resolves.
        """
        if not self.allow_private and is_private_literal(host):
            raise private(host, (_literal(host) or host,))

    async def unchecked(self, host: str, port: int = 0) -> tuple[str, ...]:
        """All IP addresses of `host`, for hosts that the user chose, such as a proxy."""
        answer = self._cache.get(host)
        if answer is None or answer.until < self._clock():
            answer = await self._asked(host, port)
        if answer.cause is not None:
            raise FetchError(answer.cause, answer.detail, is_hosts_fault=answer.is_hosts_fault)
        return answer.addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """What aiohttp connects to: the checked addresses and nothing else."""
        return as_results(host, port, await self.addresses(host, port), family)

    async def close(self) -> None:
        """End what is still being looked up; the resolver may be used again."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _asked(self, host: str, port: int) -> _Answer:
        address = _literal(host)
        if address:
            return self._kept(host, _Answer((address,)))
        task = self._running.get(host)
        if task is None:
            task = asyncio.create_task(self._looked_up(host, port))
            self._running[host] = task
            task.add_done_callback(lambda _: self._running.pop(host, None))
        # Others wait for the same lookup: who stops waiting must not end it.
        return await asyncio.shield(task)

    async def _looked_up(self, host: str, port: int) -> _Answer:
        waits_s = MOST_TURNS * self._deadline_s
        try:
            async with asyncio.timeout(waits_s):
                await self._slots.acquire()
        except TimeoutError:
            return self._read(host, _NotAsked(f"others were, for {waits_s:g} s"))
        try:
            async with asyncio.timeout(self._deadline_s):
                answer = self._read(host, await self._in_thread(host, port))
        except TimeoutError:
            answer = self._failed(
                FetchCause.NOT_RESOLVED,
                f"looking up {host} took longer than {self._deadline_s:g} s",
            )
        finally:
            self._slots.release()
        return self._kept(host, answer)

    def _in_thread(self, host: str, port: int) -> asyncio.Future[Sequence[str] | Exception]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Sequence[str] | Exception] = loop.create_future()

        def work() -> None:
            result: Sequence[str] | Exception
            try:
                result = self._lookup(host, port)
            except (OSError, UnicodeError) as error:
                result = error
            # The loop may have ended while the name was looked up.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(_settle, future, result)

        # A thread for each lookup: a pool's would be waited for at the end of the program, hanging or not.
        thread = threading.Thread(target=work, name=f"resolving {host}", daemon=True)
        self._threads = {thread for thread in self._threads if thread.is_alive()}
        if len(self._threads) >= MOST_HANGING:
            _settle(future, _NotAsked(f"{MOST_HANGING} lookups of names hang"))
            return future
        try:
            thread.start()
        except RuntimeError as error:
            _settle(future, _NotAsked(str(error)))
        else:
            self._threads.add(thread)
        return future

    def _read(self, host: str, result: Sequence[str] | Exception) -> _Answer:
        if not isinstance(result, Exception):
            if result:
                return _Answer(tuple(result), until=self._clock() + self._ttl_s)
            return self._failed(FetchCause.UNKNOWN_HOST, f"{host} has no address")
        check_files(result)
        if isinstance(result, _NotAsked):
            # Not kept: the next who asks may find a thread.
            return _Answer(
                (), FetchCause.NOT_RESOLVED, f"{host} was not looked up: {result}",
                until=-math.inf, is_hosts_fault=False,
            )  # fmt: skip
        says_no = isinstance(result, socket.gaierror) and result.errno in _SAYS_NO_SUCH_NAME
        if says_no or isinstance(result, UnicodeError):
            return self._failed(FetchCause.UNKNOWN_HOST, f"there is no host {host}")
        why = getattr(result, "strerror", None) or str(result)
        return self._failed(FetchCause.NOT_RESOLVED, f"looking up {host} failed: {why}")

    def _failed(self, cause: FetchCause, detail: str) -> _Answer:
        return _Answer((), cause, detail, until=self._clock() + self._failure_ttl_s)

    def _kept(self, host: str, answer: _Answer) -> _Answer:
        self._cache.pop(host, None)
        if len(self._cache) >= MOST_CACHED:
            del self._cache[next(iter(self._cache))]
        self._cache[host] = answer
        return answer


class ProxyResolver(AbstractResolver):
    """Where the user's own proxy lives, which may well be inside the own network."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """What aiohttp connects to: any address of the proxy."""
        return as_results(host, port, await self._resolver.unchecked(host, port), family)

    async def close(self) -> None:
        """Nothing: the resolver behind it is closed by who made it."""


def as_results(
    host: str, port: int, addresses: Sequence[str], family: socket.AddressFamily
) -> list[ResolveResult]:
    """`addresses` in the form that aiohttp takes from a resolver."""
    families = {
        address: socket.AF_INET6 if ":" in address else socket.AF_INET for address in addresses
    }
    return [
        ResolveResult(
            hostname=host,
            host=address,
            port=port,
            family=families[address],
            proto=socket.IPPROTO_TCP,
            flags=socket.AI_NUMERICHOST,
        )
        for address in addresses
        if family in (socket.AF_UNSPEC, families[address])
    ]


def is_private_literal(host: str) -> bool:
    """Whether `host` lies inside a private network by what it is: an address, or a name for inside; no name is looked up."""
    address = _literal(host)
    return not is_public(address) if address else _is_inside(host)


def private(host: str, addresses: Sequence[str]) -> FetchError:
    """The error for a host all of whose addresses lie where a list of photos must not reach."""
    shown = ", ".join(addresses[:3])
    where = host if host == shown else f"{host} ({shown})"
    return FetchError(FetchCause.PRIVATE, f"{where} lies inside a private network")


def _literal(host: str) -> str | None:
    """The IP address that `host` is, if it is one and no name; IPv6 with brackets or without."""
    if ":" in host:
        return host.strip("[]")
    return host if host.replace(".", "").isdigit() else None


def _is_inside(name: str) -> bool:
    """Whether a name is one that only a network's own hosts have; any without a dot is."""
    name = name.lower().rstrip(".")
    return "." not in name or f".{name}".endswith(tuple(f".{ending}" for ending in _INSIDE))


def _settle(
    future: asyncio.Future[Sequence[str] | Exception], result: Sequence[str] | Exception
) -> None:
    if not future.done():
        future.set_result(result)
