"""The server of the download bench: every address has bytes of its own and the pixels of its photo."""

import http.client
import io
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cairn.bench.serving import serve
from tests.make import jpeg


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[http.client.HTTPConnection]:
    """A connection to a server of two photos."""
    photos = [tmp_path / "0.jpg", tmp_path / "1.jpg"]
    for number, path in enumerate(photos):
        path.write_bytes(jpeg(number))
    listener = socket.create_server(("127.0.0.1", 0))
    serving = threading.Thread(target=serve, args=(listener, photos))
    serving.start()
    connection = http.client.HTTPConnection(*listener.getsockname())
    yield connection
    connection.close()
    listener.shutdown(socket.SHUT_RDWR)
    serving.join()
    listener.close()


def test_addresses_of_one_photo_have_its_pixels_and_other_bytes(
    asked: http.client.HTTPConnection,
) -> None:
    contents = []
    for number in (1, 3):
        asked.request("GET", f"/{number}.jpg")
        contents.append(asked.getresponse().read())
    first, second = (np.asarray(Image.open(io.BytesIO(content))) for content in contents)
    assert contents[0] != contents[1]
    assert np.array_equal(first, second)
    assert np.array_equal(first, np.asarray(Image.open(io.BytesIO(jpeg(1)))))


def test_what_is_no_photo_is_not_found(asked: http.client.HTTPConnection) -> None:
    asked.request("GET", "/robots.txt")
    assert asked.getresponse().status == 404
