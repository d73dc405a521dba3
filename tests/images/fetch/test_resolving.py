import asyncio
import errno
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from itertools import count

import pytest

from cairn.base.errors import InputError
from cairn.images.fetch.causes import FetchCause, FetchError
from cairn.images.fetch.resolving import MOST_HANGING, Lookup, ProxyResolver, Resolver
from tests.images.fetch.servers import run


def made(
    lookup: Lookup, *, allow_private: bool = False, deadline_s: float = 5.0, n_threads: int = 4,
    clock: Callable[[], float] = time.monotonic,
) -> Resolver:  # fmt: skip
    return Resolver(
        allow_private=allow_private, deadline_s=deadline_s, lookup=lookup, n_threads=n_threads,
        ttl_s=300, failure_ttl_s=30, clock=clock,
    )  # fmt: skip


def always(*addresses: str) -> Lookup:
    return lambda host, port: addresses


def failing(error: Exception) -> Lookup:
    def lookup(host: str, port: int) -> Sequence[str]:
        raise error

    return lookup


def cause_of(resolver: Resolver, host: str = "photos.test") -> FetchCause:
    with pytest.raises(FetchError) as caught:
        run(resolver.addresses(host))
    return caught.value.cause


def test_only_public_addresses_are_left() -> None:
    resolver = made(always("10.0.0.1", "8.8.8.8", "::1", "2606:4700::1111"))
    assert run(resolver.addresses("photos.test")) == ("8.8.8.8", "2606:4700::1111")


def test_a_name_with_private_addresses_only_is_private() -> None:
    assert cause_of(made(always("10.0.0.1", "::ffff:8.8.8.8"))) is FetchCause.PRIVATE


def test_private_addresses_are_left_where_they_are_allowed() -> None:
    resolver = made(always("10.0.0.1"), allow_private=True)
    assert run(resolver.addresses("photos.test")) == ("10.0.0.1",)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "[::1]", "169.254.169.254"])
def test_an_ip_address_is_judged_without_a_lookup(host: str) -> None:
    resolver = made(failing(OSError("nobody may ask")))
    assert cause_of(resolver, host) is FetchCause.PRIVATE
    with pytest.raises(FetchError, match="private network"):
        resolver.check_literal(host)


def test_names_are_no_literals() -> None:
    made(failing(OSError("nobody may ask"))).check_literal("inside.test")


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST.", "a.localhost", "printer.local", "db.internal", "nas.home.arpa", "intranet"]
)  # fmt: skip
def test_a_name_for_inside_is_not_left_to_a_proxy(host: str) -> None:
    with pytest.raises(FetchError) as caught:
        made(always()).check_literal(host)
    assert caught.value.cause is FetchCause.PRIVATE
    made(always(), allow_private=True).check_literal(host)


@pytest.mark.parametrize("host", ["mylocal.test", "local.test", "8.8.8.8", "[2606:4700::1111]"])
def test_other_hosts_are_left_to_a_proxy(host: str) -> None:
    made(always()).check_literal(host)


def test_a_lookup_without_an_open_file_ends_the_run() -> None:
    resolver = made(failing(OSError(errno.EMFILE, "Too many open files")))
    with pytest.raises(InputError, match="too many open files"):
        run(resolver.addresses("photos.test"))


def test_a_name_that_was_not_looked_up_is_not_to_blame_and_asked_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolver = made(always("8.8.8.8"))
    monkeypatch.setattr("cairn.images.fetch.resolving.MOST_HANGING", 0)
    with pytest.raises(FetchError) as caught:
        run(resolver.addresses("photos.test"))
    assert (caught.value.cause, caught.value.is_hosts_fault) == (FetchCause.NOT_RESOLVED, False)
    monkeypatch.undo()
    assert run(resolver.addresses("photos.test")) == ("8.8.8.8",)


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (socket.gaierror(socket.EAI_NONAME, "no such name"), FetchCause.UNKNOWN_HOST),
        (UnicodeError("label too long"), FetchCause.UNKNOWN_HOST),
        (socket.gaierror(socket.EAI_AGAIN, "try again"), FetchCause.NOT_RESOLVED),
        (socket.gaierror(socket.EAI_FAIL, "refused"), FetchCause.NOT_RESOLVED),
        (OSError("too many open files"), FetchCause.NOT_RESOLVED),
    ],
)
def test_no_such_name_is_apart_from_no_answer(error: Exception, cause: FetchCause) -> None:
    assert cause_of(made(failing(error))) is cause


def test_a_name_without_addresses_is_unknown() -> None:
    assert cause_of(made(always())) is FetchCause.UNKNOWN_HOST


def test_a_lookup_that_hangs_is_given_up_and_holds_nothing_up() -> None:
    freed = threading.Event()

    def lookup(host: str, port: int) -> Sequence[str]:
        if host == "hanging.test":
            freed.wait(10)
        return ["8.8.8.8"]

    resolver = made(lookup, deadline_s=0.05, n_threads=1)
    assert cause_of(resolver, "hanging.test") is FetchCause.NOT_RESOLVED
    assert run(resolver.addresses("photos.test")) == ("8.8.8.8",)
    freed.set()


def test_so_many_lookups_may_hang_and_no_more() -> None:
    freed = threading.Event()

    def lookup(host: str, port: int) -> Sequence[str]:
        freed.wait(10)
        return ["8.8.8.8"]

    async def ask_for_many() -> list[FetchCause]:
        resolver = made(lookup, deadline_s=0.05, n_threads=1000)
        asked = (resolver.addresses(f"host-{i}.test") for i in range(MOST_HANGING + 5))
        ends = await asyncio.gather(*asked, return_exceptions=True)
        return [end.cause for end in ends if isinstance(end, FetchError)]

    before = threading.active_count()
    assert run(ask_for_many()) == [FetchCause.NOT_RESOLVED] * (MOST_HANGING + 5)
    assert threading.active_count() - before <= MOST_HANGING
    freed.set()


def test_a_lookup_that_hangs_does_not_hold_up_the_end_of_the_program() -> None:
    code = (
        "import asyncio, time; from cairn.images.fetch.resolving import Resolver;"
        "find = lambda host, port: time.sleep(60);"
        "resolver = Resolver(allow_private=False, deadline_s=0.05, lookup=find);"
        "asyncio.run(resolver.addresses('photos.test'))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert "name not resolved" in ran.stderr


def test_only_so_many_names_are_looked_up_at_once() -> None:
    running: list[int] = []
    most: list[int] = []

    def lookup(host: str, port: int) -> Sequence[str]:
        running.append(1)
        most.append(len(running))
        time.sleep(0.02)
        running.pop()
        return ["8.8.8.8"]

    async def ask() -> None:
        resolver = made(lookup, n_threads=2)
        await asyncio.gather(*(resolver.addresses(f"host-{i}.test") for i in range(8)))

    run(ask())
    assert max(most) <= 2


def test_all_who_ask_at_once_share_one_lookup_and_one_who_leaves_does_not_end_it() -> None:
    n_lookups = count()

    def lookup(host: str, port: int) -> Sequence[str]:
        next(n_lookups)
        time.sleep(0.05)
        return ["8.8.8.8"]

    async def ask() -> None:
        resolver = made(lookup)
        tasks = [asyncio.create_task(resolver.addresses("photos.test")) for _ in range(5)]
        await asyncio.sleep(0.01)
        tasks[0].cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert ends[1:] == [("8.8.8.8",)] * 4

    run(ask())
    assert next(n_lookups) == 1


def test_an_answer_is_kept_for_its_time_and_a_failure_for_a_shorter_one() -> None:
    now = [0.0]
    answers: list[Sequence[str]] = [[], ["8.8.8.8"], ["9.9.9.9"]]
    resolver = made(lambda host, port: answers.pop(0), clock=lambda: now[0])
    for now[0] in (0.0, 29.0):
        assert cause_of(resolver) is FetchCause.UNKNOWN_HOST
    for now[0] in (31.0, 330.0):
        assert run(resolver.addresses("photos.test")) == ("8.8.8.8",)
    now[0] = 332.0
    assert run(resolver.addresses("photos.test")) == ("9.9.9.9",)


def test_a_name_that_turns_private_is_refused_then() -> None:
    now = [0.0]
    answers: list[Sequence[str]] = [["8.8.8.8"], ["127.0.0.1"]]
    resolver = made(lambda host, port: answers.pop(0), clock=lambda: now[0])
    assert run(resolver.addresses("rebinding.test")) == ("8.8.8.8",)
    now[0] = 301.0
    assert cause_of(resolver, "rebinding.test") is FetchCause.PRIVATE


def test_aiohttp_gets_the_checked_addresses_of_the_family_it_wants() -> None:
    resolver = made(always("10.0.0.1", "8.8.8.8", "2606:4700::1111"))
    found = run(resolver.resolve("photos.test", 80))
    assert [(each["host"], each["port"]) for each in found] == [
        ("8.8.8.8", 80),
        ("2606:4700::1111", 80),
    ]
    assert len(run(resolver.resolve("photos.test", 80, socket.AF_INET6))) == 1


def test_a_proxy_may_be_private() -> None:
    found = run(ProxyResolver(made(always("10.0.0.1"))).resolve("proxy.test", 3128))
    assert found[0]["host"] == "10.0.0.1"


def test_closing_ends_what_is_being_looked_up() -> None:
    freed = threading.Event()

    async def close_early() -> None:
        resolver = made(lambda host, port: ["8.8.8.8"] if freed.wait(10) else [])
        task = asyncio.create_task(resolver.addresses("photos.test"))
        await asyncio.sleep(0.01)
        await resolver.close()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(close_early())
    freed.set()


def test_a_name_whose_turn_does_not_come_is_not_its_hosts_fault() -> None:
    def slow(host: str, port: int) -> Sequence[str]:
        time.sleep(0.3)
        return ()

    async def ask() -> list[FetchError]:
        # One turn, which each takes for as long as a lookup may take: the last ones wait for six others in vain.
        resolver = made(slow, deadline_s=0.02, n_threads=1)
        names = [resolver.addresses(f"{number}.test") for number in range(12)]
        ends = await asyncio.gather(*names, return_exceptions=True)
        return [end for end in ends if isinstance(end, FetchError)]

    start = time.monotonic()
    errors = run(ask())
    assert time.monotonic() - start < 2
    assert [error.cause for error in errors] == [FetchCause.NOT_RESOLVED] * 12
    waited = [error for error in errors if not error.is_hosts_fault]
    assert 4 <= len(waited) < 12
    assert "others were, for 0.12 s" in waited[-1].detail
