import asyncio
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from cairn.images.fetch.causes import FetchCause, FetchError
from tests.images.fetch.servers import (
    SETTINGS,
    Handler,
    answering,
    client_for,
    dripping,
    fetched,
    reply,
    run,
    serving,
    settings_with,
)

PHOTO = answering(reply(b"photo"))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PEM file with a key and a certificate for photos.test that nobody trusts."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl makes the certificate")
    folder = tmp_path_factory.mktemp("tls")
    key, made = folder / "key.pem", folder / "made.pem"
    asked = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=photos.test"
    names = ["-addext", "subjectAltName=DNS:photos.test", "-keyout", str(key), "-out", str(made)]
    subprocess.run([openssl, *asked.split(), *names], check=True, capture_output=True)
    made.write_text(made.read_text() + key.read_text())
    return made


def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def securely(certificate: Path, handler: Handler = PHOTO, *, trusted: bool = True, host: str = "photos.test") -> bytes:  # fmt: skip
    async def ask() -> bytes:
        trusting = replace(SETTINGS, certificates=str(certificate) if trusted else "")
        async with serving(handler, tls=tls(certificate)) as port, client_for(trusting) as client:
            return (await client.hop(f"https://{host}:{port}/a.jpg")).content

    return run(ask())


def test_a_certificate_that_was_given_is_trusted(certificate: Path) -> None:
    assert securely(certificate) == b"photo"


@pytest.mark.parametrize(("trusted", "host"), [(False, "photos.test"), (True, "127.0.0.1")])
def test_a_certificate_that_is_unknown_or_anothers_is_not_trusted(
    certificate: Path, trusted: bool, host: str
) -> None:
    with pytest.raises(FetchError) as caught:
        securely(certificate, trusted=trusted, host=host)
    assert caught.value.cause is FetchCause.CERTIFICATE


def test_a_secure_body_that_ends_too_early_is_cut_off(certificate: Path) -> None:
    half = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", ends=True)
    with pytest.raises(FetchError) as caught:
        securely(certificate, half)
    assert caught.value.cause is FetchCause.CUT_OFF


@contextmanager
def rude(certificate: Path) -> Iterator[int]:
    """The port of a server that goes silent inside the body and does not even answer a farewell."""
    over = threading.Event()

    def serve(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with tls(certificate).wrap_socket(connection, server_side=True) as secure:
            secure.recv(65_536)
            secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
            over.wait(10)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,))
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            over.set()
            thread.join()


def test_a_secure_host_that_goes_silent_leaves_nothing_open(certificate: Path) -> None:
    async def ask(port: int) -> None:
        hasty = replace(settings_with(silence_s=0.1), certificates=str(certificate))
        async with client_for(hasty) as client:
            await client.hop(f"https://photos.test:{port}/a.jpg")

    with rude(certificate) as port, pytest.raises(FetchError) as caught:
        run(ask(port))
    assert caught.value.cause is FetchCause.SILENT


@pytest.mark.parametrize(
    ("handler", "cause"),
    [
        (dripping(b""), FetchCause.NO_CONNECTION_IN_TIME),
        (answering(reply(b"no TLS here")), FetchCause.NO_CONNECTION),
    ],
)
def test_a_handshake_that_is_none(handler: Handler, cause: FetchCause) -> None:
    async def first_bytes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        hello = asyncio.StreamReader()
        hello.feed_data(b"\r\n\r\n")
        await handler(hello, writer)

    async def ask() -> None:
        hasty = settings_with(connect_s=0.2)
        async with serving(first_bytes) as port, client_for(hasty) as client:
            await client.hop(f"https://photos.test:{port}/a.jpg")

    with pytest.raises(FetchError) as caught:
        run(ask())
    assert caught.value.cause is cause


async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A proxy that leads every name to 127.0.0.1; it forwards one request, or everything after CONNECT."""
    head = await reader.readuntil(b"\r\n\r\n")
    method, target, _ = head.decode().split(" ", 2)
    port = int(target.removeprefix("http://").split("/")[0].rpartition(":")[2])
    far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
    if method == "CONNECT":
        writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
    else:
        far_writer.write(head.replace(b"\r\n\r\n", b"\r\nX-By: proxy\r\n\r\n"))
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(pump(reader, far_writer))
            group.create_task(pump(far_reader, writer))
    finally:
        far_writer.transport.abort()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
    writer.close()


def through_a_proxy(proxy: Handler, *, far: Handler = PHOTO, certificate: Path | None = None, host: str = "far.test") -> bytes:  # fmt: skip
    async def ask() -> bytes:
        async with (
            serving(far, tls=tls(certificate) if certificate else None) as port,
            serving(proxy) as proxy_port,
            client_for(
                replace(
                    SETTINGS,
                    proxy=f"http://photos.test:{proxy_port}",
                    certificates=str(certificate or ""),
                    allow_private=False,
                )
            ) as client,
        ):
            scheme = "https" if certificate else "http"
            return (await client.hop(f"{scheme}://{host}:{port}/a.jpg")).content

    return run(ask())


def test_a_proxy_inside_the_own_network_resolves_names_that_are_unknown_here() -> None:
    assert through_a_proxy(forward) == b"photo"


def test_a_secure_host_is_reached_through_a_proxy(certificate: Path) -> None:
    assert through_a_proxy(forward, certificate=certificate, host="photos.test") == b"photo"


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "10.0.0.1"])
def test_addresses_inside_are_refused_in_front_of_a_proxy_too(host: str) -> None:
    with pytest.raises(FetchError) as caught:
        through_a_proxy(forward, host=host)
    assert caught.value.cause is FetchCause.PRIVATE


def test_a_proxy_that_refuses_is_no_connection(certificate: Path) -> None:
    no = answering(reply(b"", status="407 Proxy Authentication Required"))
    for secure in (certificate, None):
        with pytest.raises(FetchError) as caught:
            through_a_proxy(no, certificate=secure)
        assert caught.value.cause is FetchCause.NO_CONNECTION


def test_a_proxy_that_says_nothing_is_no_connection_in_time(certificate: Path) -> None:
    async def ask() -> None:
        async with serving(dripping(b"")) as port:
            hasty = replace(settings_with(connect_s=0.2), proxy=f"http://photos.test:{port}")
            async with client_for(hasty) as client:
                await client.hop("https://photos.test/a.jpg")

    with pytest.raises(FetchError) as caught:
        run(ask())
    assert caught.value.cause is FetchCause.NO_CONNECTION_IN_TIME


def test_the_environments_proxies_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert fetched(PHOTO).content == b"photo"
