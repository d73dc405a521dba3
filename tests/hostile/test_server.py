"""The hostile server does what docs/hostile.md says that it does, as seen through bare sockets."""

import gzip
import io
import socket
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pytest

from tests.hostile.cases import Case, cases, read_table
from tests.hostile.names import LOOPBACK
from tests.hostile.photos import HEIGHT_PX, scene
from tests.hostile.server import HostileServer

QUIET_S = 0.3
HEADING = "| case | what happens | status | cause | img2dataset |\n| - | - | - | - | - |\n"


@pytest.fixture(scope="module")
def server() -> Iterator[HostileServer]:
    with HostileServer() as started:
        yield started


def case(name: str, group: str = "Statuses") -> Case:
    return cases()[f"{group}: {name}"]


def connected(server: HostileServer, *, timeout_s: float = 5.0) -> socket.socket:
    return socket.create_connection((LOOPBACK, server.ports["port"]), timeout_s)


def request(asked: Case, number: int = 1) -> bytes:
    path = f"/{asked.slug}/{number}.jpg"
    head = [f"Host: {asked.slug}.test", "Connection: close"]
    return "\r\n".join([f"GET {path} HTTP/1.1", *head, "", ""]).encode()


def answer(server: HostileServer, asked: Case, *, most_bytes: int = 1 << 20) -> tuple[str, bytes]:
    """The head and the body of an answer, until its end, silence or so many bytes."""
    pieces, n_bytes = [], 0
    with connected(server, timeout_s=QUIET_S) as line:
        line.sendall(request(asked))
        with suppress(TimeoutError, ConnectionResetError):
            while n_bytes < most_bytes and (piece := line.recv(1 << 18)):
                pieces.append(piece)
                n_bytes += len(piece)
    start, _, body = b"".join(pieces).partition(b"\r\n\r\n")
    return start.decode("latin-1"), body


def test_a_proper_photo_comes_whole(server: HostileServer) -> None:
    start, body = answer(server, case("200"))
    assert start.startswith("HTTP/1.1 200 ")
    assert body == case("200").photo(1).content
    assert f"Content-Length: {len(body)}" in start


@pytest.mark.parametrize("status", ["404", "410", "451", "400", "401", "403", "999", "304"])
def test_each_status_is_said(server: HostileServer, status: str) -> None:
    assert answer(server, case(status))[0].startswith(f"HTTP/1.1 {status} ")


def test_a_host_that_recovers_does_so_at_the_second_request(server: HostileServer) -> None:
    heads = [answer(server, case("429 with Retry-After"))[0] for _ in range(2)]
    assert [start.split(" ")[1] for start in heads] == ["429", "200"]
    assert "Retry-After: 2" in heads[0]
    assert len(server.book.gaps_s(case("429 with Retry-After").slug)) == 1


def test_a_redirect_says_where_to_and_the_photo_is_there(server: HostileServer) -> None:
    asked = case("301", "Redirects")
    start, _ = answer(server, asked)
    location = start.partition("Location: ")[2].split("\r\n")[0]
    assert location == (
        f"http://{asked.slug}.elsewhere.test:{server.ports['port']}/{asked.slug}/good.jpg"
    )


@pytest.mark.parametrize(
    ("name", "says", "share"),
    [
        ("Content-Length too large", [1.0], 1.0),
        ("Content-Length too small", [0.5], 1.0),
        ("two Content-Lengths", [1.0, 0.5], 1.0),
        ("no Content-Length", [], 1.0),
        ("no Content-Length, cut off", [], 0.6),
    ],
)
def test_lengths_lie_as_told(
    server: HostileServer, name: str, says: list[float], share: float
) -> None:
    asked = case(name, "Bodies")
    start, body = answer(server, asked)
    size = len(asked.photo(1).content)
    told = [int(line[16:]) for line in start.split("\r\n") if line.startswith("Content-Length: ")]
    more = 5000 if name.endswith("large") else 0
    assert told == [int(size * part) + more for part in says]
    assert len(body) == int(size * share)


def test_endless_bodies_have_an_end_on_our_side(server: HostileServer) -> None:
    _, body = answer(server, case("endless body", "Bodies"), most_bytes=1 << 27)
    assert 60_000_000 < len(body) <= 64_000_000


def test_a_bomb_is_small_and_unpacks_to_a_gigabyte(server: HostileServer) -> None:
    _, body = answer(server, case("gzip bomb", "Bodies"), most_bytes=1 << 24)
    assert len(body) < 1_200_000
    with gzip.open(io.BytesIO(body)) as inside:
        assert inside.read(1 << 24) == bytes(1 << 24)
    assert int.from_bytes(body[-4:], "little") == 1_000_000_000


@pytest.mark.slow
def test_a_slow_body_comes_byte_by_byte(server: HostileServer) -> None:
    asked = case("slow body", "Names, connections and time")
    with connected(server) as line:
        line.sendall(request(asked))
        began = time.monotonic()
        content = b"".join(line.recv(1 << 16) for _ in range(4))
        assert time.monotonic() - began > 1.5
    assert len(content.partition(b"\r\n\r\n")[2]) <= 4


def test_a_silent_host_says_nothing(server: HostileServer) -> None:
    asked = case("silent at once", "Names, connections and time")
    assert answer(server, asked) == ("", b"")
    halfway = case("silent halfway", "Names, connections and time")
    whole = halfway.photo(1).content
    assert answer(server, halfway)[1] == whole[: len(whole) // 2]


def test_tls_is_signed_by_nobody(server: HostileServer) -> None:
    address = (LOOPBACK, server.ports["tls_port"])
    with socket.create_connection(address, 5) as line, pytest.raises(ssl.SSLCertVerificationError):
        ssl.create_default_context().wrap_socket(line, server_hostname="photos.test")


def test_a_closed_port_refuses_and_a_full_one_lets_wait(server: HostileServer) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((LOOPBACK, server.ports["closed_port"]), 1)
    with pytest.raises(TimeoutError):
        socket.create_connection((LOOPBACK, server.ports["full_port"]), 0.3)


def test_requests_are_counted_by_path_and_by_how_many_at_once(server: HostileServer) -> None:
    asked = case("silent after headers", "Names, connections and time")
    before = server.book.by_path()[f"/{asked.slug}/1.jpg"]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: answer(server, asked), range(3)))
    assert server.book.by_path()[f"/{asked.slug}/1.jpg"] == before + 3
    assert server.book.most_at_once_by_host[f"{asked.slug}.test"] == 3


def test_names_lead_where_the_table_says(server: HostileServer) -> None:
    assert server.lookup("anything.test", 80) == [LOOPBACK]
    assert server.lookup("0x7f.1", 80) == [LOOPBACK]
    first, second = (server.lookup("rebinding.test", 80) for _ in range(2))
    assert first != second == [LOOPBACK]
    for name, number in (("nowhere.test", socket.EAI_NONAME), ("later.test", socket.EAI_AGAIN)):
        with pytest.raises(socket.gaierror) as caught:
            server.lookup(name, 80)
        assert caught.value.errno == number


def test_the_server_ends_in_the_middle_of_everything() -> None:
    with ThreadPoolExecutor(1) as pool:
        with HostileServer() as server:
            hanging = pool.submit(server.lookup, "hanging.test", 80)
            line = connected(server)
            line.sendall(request(case("silent at once", "Names, connections and time")))
            time.sleep(0.1)
        with line, suppress(ConnectionResetError):
            assert line.recv(10) == b""
        with pytest.raises(socket.gaierror):
            hanging.result(5)


@pytest.mark.parametrize("name", ["200", "404", "noai"])
def test_no_turn_or_mirror_of_a_scene_is_like_it(name: str) -> None:
    shown = scene(name).astype(int)
    for other in (shown[:, ::-1], shown[::-1], shown[::-1, ::-1]):
        assert np.abs(other - shown).mean() > 20
    square = shown[:, :HEIGHT_PX]
    for other in (square.transpose(1, 0, 2), np.rot90(square), np.rot90(square, 3)):
        assert np.abs(other - square).mean() > 20


def test_a_line_that_does_nothing_or_stands_twice_is_an_error() -> None:
    line = "| 404 | gone | failed | not found | – |\n"
    assert [told.name for told in read_table(HEADING + line)] == ["404"]
    with pytest.raises(ValueError, match="each once"):
        list(read_table(HEADING + line + line))
    with pytest.raises(ValueError, match="columns"):
        list(read_table("| a | b |\n| - | - |\n"))


def test_every_photo_of_the_list_is_another() -> None:
    contents = [
        each.photo(number).content
        for each in cases().values()
        for number in range(1, len(each.rows) + 1)
        if each.photo(1).shows is not None and not each.deed.same_bytes
    ]
    assert len(set(contents)) == len(contents)
