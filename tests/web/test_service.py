import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import jsonschema
import pytest
import uvicorn

from cairn.base.settings import ServeSettings
from cairn.cli.main import main
from cairn.recognizer import Recognizer
from cairn.web.service import make_service

pytestmark = pytest.mark.slow  # real servers
SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "recognition.schema.json").read_text())


@pytest.fixture(scope="module")
def service(finished: Path) -> Iterator[httpx.Client]:
    """A client of a real server on the loopback that takes uploads up to 50,000 bytes."""
    app = make_service(
        Recognizer.load(finished / "work/models/default"),
        settings=ServeSettings(max_upload_bytes=50_000),
    )
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    with httpx.Client(
        base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=20
    ) as client:
        while not server.started:
            time.sleep(0.01)
        yield client
    server.should_exit = True
    thread.join(timeout=20)
    listening.close()


def test_a_photo_gets_the_recognition_that_the_command_line_prints(
    service: httpx.Client, finished: Path
) -> None:
    photo = finished / "photos/landmark_3/001.jpg"
    answered = service.post("/v1/recognize", files={"image": ("p.jpg", photo.read_bytes())})
    assert answered.status_code == 200
    told = answered.json()
    jsonschema.validate(told, SCHEMA)
    direct = (
        Recognizer.load(finished / "work/models/default").recognize(photo, name="p.jpg").to_json()
    )
    assert {**told, "time_ms": None} == {**direct, "time_ms": None}


def test_what_is_no_photo_is_told_with_422(service: httpx.Client) -> None:
    answered = service.post("/v1/recognize", files={"image": ("p.jpg", b"words")})
    assert answered.status_code == 422
    assert "no image" in answered.json()["error"]


def test_too_large_an_upload_is_refused_before_it_is_read(service: httpx.Client) -> None:
    answered = service.post("/v1/recognize", files={"image": ("p.jpg", b"x" * 100_000)})
    assert answered.status_code == 413
    assert "at most 50,000 were expected" in answered.json()["error"]


def test_an_upload_that_hides_its_length_is_refused(service: httpx.Client) -> None:
    assert service.post("/v1/recognize", content=iter([b"x"])).status_code == 411


def test_a_length_that_lies_about_a_chunked_body_is_refused(service: httpx.Client) -> None:
    host, port = service.base_url.host, service.base_url.port
    with socket.create_connection((host, port), timeout=10) as raw:
        raw.sendall(
            b"POST /v1/recognize HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
            b"Transfer-Encoding: chunked\r\nContent-Type: multipart/form-data; boundary=b\r\n\r\n"
        )
        assert raw.recv(100).split()[1] in (b"400", b"411")


def test_a_request_without_a_photo_says_what_to_send(service: httpx.Client) -> None:
    answered = service.post("/v1/recognize", data={"other": "x"})
    assert answered.status_code == 422
    assert "a form field called image was expected" in answered.json()["error"]


def test_health_tells_what_is_served(service: httpx.Client) -> None:
    assert service.get("/healthz").json()["landmarks"] == 4


def test_many_at_once_get_their_own_answers(service: httpx.Client, finished: Path) -> None:
    found: dict[int, str] = {}

    def ask(number: int) -> None:
        photo = (finished / f"photos/landmark_{number % 4}/002.jpg").read_bytes()
        found[number] = service.post("/v1/recognize", files={"image": ("p.jpg", photo)}).json()[
            "answer"
        ]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert found == {number: f"landmark_{number % 4}" for number in range(12)}


def test_a_port_that_is_taken_is_told(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["serve", str(finished / "work/models/default"), "--port", port]) == 1
    assert "choose another with --port" in capsys.readouterr().err


def test_the_command_says_where_it_serves_and_stops_on_ctrl_c(finished: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "cairn.cli.main", "serve", str(finished / "work/models/default"), "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("serving 4 landmarks on http://127.0.0.1:")
    url = line.split()[-1]
    for _ in range(100):
        try:
            assert httpx.get(f"{url}/healthz").json()["status"] == "ok"
            break
        except httpx.ConnectError:
            time.sleep(0.05)
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode in (0, -15)
