import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from cairn.base.settings import ReviewSettings
from cairn.cli.main import main
from cairn.pipeline.reviewing import Desk, open_desk
from cairn.records.verdicts import read_verdicts
from cairn.web.review.app import make_review
from cairn.web.review.guard import is_loopback
from tests.reviews import ReviewServer, image_id, review_work

HOME = "http://127.0.0.1:8090"
AT = "2026-01-01T00:00:00Z"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = open_desk(review_work(tmp_path / "work"), ReviewSettings(audit=4))
    yield desk
    desk.close()


@pytest.fixture
def client(desk: Desk) -> TestClient:
    return TestClient(make_review(desk), base_url=HOME, headers={"X-Reviewer": "anna"})


def decision(desk: Desk, number: int, verdict: str = "keep", *, row: int = 0) -> dict[str, object]:
    return {
        "event": "decide",
        "id": f"e{number}",
        "at": AT,
        "verdict": verdict,
        "findings": [desk.rows.finding_ids[row]],
    }


def undone(number: int, of: int) -> dict[str, object]:
    return {"event": "undo", "id": f"e{number}", "at": AT, "of": f"e{of}"}


def record(client: TestClient, *events: dict[str, object]) -> Any:  # JSON
    return client.post("/api/events", json={"events": list(events)}).json()


def test_what_was_acknowledged_is_in_the_journal(
    client: TestClient, desk: Desk, tmp_path: Path
) -> None:
    answered = record(client, decision(desk, 1), decision(desk, 2, "no landmark", row=1))
    assert answered == {"version": desk.rows.version, "n_events": 2, "refused": []}
    held = read_verdicts(tmp_path / "work/verdicts").by_reviewer["anna"]
    assert [verdict.verdict for verdict in held.values()] == ["keep", "no landmark"]


def test_what_is_sent_twice_is_written_once(client: TestClient, desk: Desk) -> None:
    record(client, decision(desk, 1))
    assert record(client, decision(desk, 1), undone(2, of=1))["n_events"] == 2
    told = client.get("/api/events").json()
    assert [(event["event"], event.get("rows")) for event in told["events"]] == [
        ("decide", [0]),
        ("undo", None),
    ]


def test_what_cannot_be_recorded_is_named_and_the_rest_is_written(
    client: TestClient, desk: Desk
) -> None:
    gone = decision(desk, 1) | {"findings": ["gone"]}
    unknown = decision(desk, 2, "wrong") | {"landmark_ids": ["atlantis"]}
    answered = record(client, gone, unknown, undone(3, of=1), decision(desk, 4))
    assert [refused["id"] for refused in answered["refused"]] == ["e1", "e2", "e3"]
    assert answered["n_events"] == 1


@pytest.mark.parametrize(
    "body",
    [{}, {"events": []}, {"events": [{"event": "decide"}]}, {"events": [{"event": "drop", "id": "x"}]},
     {"events": [{"event": "decide", "id": "a b", "at": AT, "verdict": "keep", "findings": ["x"]}]},
     {"events": [{"event": "decide", "id": "a", "at": AT, "verdict": "maybe", "findings": ["x"]}]}],
)  # fmt: skip
def test_a_misshapen_request_is_refused_in_words(
    client: TestClient, body: dict[str, object]
) -> None:
    answered = client.post("/api/events", json=body)
    assert answered.status_code == 422
    assert "the request is not as expected" in answered.json()["error"]


def test_rows_come_in_pages_that_a_cursor_joins(client: TestClient, desk: Desk) -> None:
    ids: list[str] = []
    after: int | None = 0
    while after is not None:
        page = client.get("/api/rows", params={"after": after, "limit": 5}).json()
        ids += page["ids"]
        after = page["next"]
    assert ids == desk.rows.finding_ids


def test_details_tell_reason_evidence_and_regions(client: TestClient, desk: Desk) -> None:
    row = desk.rows.table["kind"].to_list().index("several landmarks")
    (told,) = client.get("/api/details", params={"rows": f"{row},9999"}).json()["rows"]
    assert told["reason"] == "Two parts match two landmarks."
    assert told["regions"] == [[5, 5, 60, 90], [70, 10, 120, 80]]
    assert [landmark["name"] for landmark in told["suggested"]] == [
        "Old Aqueduct",
        "Belfry of Brünn",
    ]
    assert told["evidence"][0]["landmarks"] == [{"id": "belfry", "name": "Belfry of Brünn"}]


def test_thumbnails_are_small_and_whole_images_are_as_kept(
    client: TestClient, tmp_path: Path
) -> None:
    small = client.get(f"/thumbnails/{image_id('belfry', 3)}")
    assert (small.status_code, small.headers["content-type"]) == (200, "image/jpeg")
    assert "immutable" in small.headers["cache-control"]
    whole = client.get(f"/images/{image_id('belfry', 3)}")
    assert whole.content == (tmp_path / "work/images/belfry/003.jpg").read_bytes()
    assert client.get("/images/unknown").status_code == 404


def test_a_photo_that_has_gone_from_the_disk_is_told(client: TestClient, tmp_path: Path) -> None:
    (tmp_path / "work/images/belfry/003.jpg").unlink()
    answered = client.get(f"/images/{image_id('belfry', 3)}")
    assert answered.status_code == 404
    assert "cannot be read" in answered.json()["error"]


def test_the_page_and_its_files_come_from_here_alone(client: TestClient) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "http" not in page.text
    for name in ("main.js", "review.css", "icon.svg"):
        assert client.get(f"/page/{name}").status_code == 200
    for name in ("..%2fapp.py", "app.py", "nothing.js"):
        assert client.get(f"/page/{name}").status_code == 404


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8090", "10.0.0.7:8090", "127.0.0.1.evil.example", ""]
)
def test_a_name_that_another_site_has_pointed_here_is_refused(
    client: TestClient, host: str
) -> None:
    assert client.get("/api/session", headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("host", ["localhost:8090", "127.0.0.1:1", "[::1]:8090", "LOCALHOST"])
def test_every_name_of_the_loopback_is_answered(client: TestClient, host: str) -> None:
    assert client.get("/api/session", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:9999"},
     {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}],
)  # fmt: skip
def test_what_another_site_sends_is_refused(
    client: TestClient, desk: Desk, headers: dict[str, str]
) -> None:
    answered = client.post("/api/events", json={"events": [decision(desk, 1)]}, headers=headers)
    assert answered.status_code == 403
    assert desk.n_events("anna") == 0


def test_the_page_itself_may_send(client: TestClient, desk: Desk) -> None:
    headers = {"Origin": HOME, "Sec-Fetch-Site": "same-origin"}
    assert (
        client.post(
            "/api/events", json={"events": [decision(desk, 1)]}, headers=headers
        ).status_code
        == 200
    )


@pytest.fixture
def opened(desk: Desk) -> TestClient:
    """A client of a page that is open to others, at an address without its token."""
    return TestClient(
        make_review(desk, token="right"), base_url="http://192.168.0.7:8090", follow_redirects=False
    )


def test_without_the_token_nothing_is_answered(opened: TestClient) -> None:
    for path in (
        "/",
        "/api/session",
        "/page/main.js",
        f"/thumbnails/{image_id('belfry', 1)}",
        "/?token=wrong",
        "/?token=",
    ):
        answered = opened.get(path)
        assert answered.status_code == 401, path
        assert "asks for a token" in answered.json()["error"]


def test_the_token_is_asked_for_once_and_leaves_the_address(opened: TestClient) -> None:
    answered = opened.get("/?token=right")
    assert (answered.status_code, answered.headers["location"]) == (303, "/")
    cookie = answered.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert opened.get("/").status_code == 200
    assert opened.post("/api/session", json={"reviewer": "Ben"}).json() == {"reviewer": "Ben"}


def test_a_token_in_the_address_leads_to_no_other_host(opened: TestClient) -> None:
    assert (
        opened.get("http://192.168.0.7:8090//evil.example/?token=right")
        .headers["location"]
        .startswith("/evil")
    )


def test_a_token_does_not_let_other_sites_send(opened: TestClient, desk: Desk) -> None:
    opened.get("/?token=right")
    answered = opened.post(
        "/api/session", json={"reviewer": "Ben"}, headers={"Origin": "http://evil.example"}
    )
    assert answered.status_code == 403


def test_a_fixed_reviewer_is_who_decides_whatever_is_sent(desk: Desk) -> None:
    client = TestClient(
        make_review(desk, reviewer="Cleo"), base_url=HOME, headers={"X-Reviewer": "anna"}
    )
    record(client, decision(desk, 1))
    assert client.get("/api/session").json()["reviewer"] == "Cleo"
    assert desk.reviewers == ["Cleo"]


def test_a_request_without_a_name_is_refused(desk: Desk) -> None:
    answered = TestClient(make_review(desk), base_url=HOME).get("/api/standing")
    assert answered.status_code == 400
    assert "is no reviewer's name" in answered.json()["error"]


def test_a_body_must_say_its_length_and_keep_to_the_limit(client: TestClient) -> None:
    assert client.post("/api/events", content=iter([b"{}"])).status_code == 411
    assert (
        client.post("/api/events", content=b"x", headers={"Content-Length": "99999999"}).status_code
        == 413
    )


@pytest.mark.parametrize(("host", "is_here"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("192.168.0.7", False)])  # fmt: skip
def test_only_the_loopback_needs_no_token(host: str, is_here: bool) -> None:
    assert is_loopback(host) == is_here


@pytest.mark.slow
def test_acknowledged_decisions_outlive_a_kill_and_a_torn_line(tmp_path: Path) -> None:
    work = review_work(tmp_path / "work")
    desk = open_desk(work, ReviewSettings(audit=4))
    journal = work / "verdicts/anna.jsonl"
    with ReviewServer(work, "--reviewer", "anna") as server:
        for number in range(5):
            event = decision(desk, number, row=number)
            assert (
                httpx.post(
                    f"{server.url}api/events", json={"events": [event]}, timeout=20
                ).status_code
                == 200
            )
        server.kill()
        with journal.open("ab") as file:
            file.write(b'{"event":"decide","id":"torn","at":"2026-')
        server.start()
        assert httpx.get(f"{server.url}api/standing", timeout=20).json()["n_decided"] == {"anna": 5}
        again = {"events": [decision(desk, 5, row=5)]}
        assert httpx.post(f"{server.url}api/events", json=again, timeout=20).json()["n_events"] == 6
    lines = journal.read_text().splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["opened", *["decide"] * 6]


@pytest.mark.slow
def test_opened_to_others_the_printed_address_holds_a_token(tmp_path: Path) -> None:
    with ReviewServer(review_work(tmp_path / "work"), "--host", "0.0.0.0") as server:
        token = server.url.partition("?token=")[2]
        assert len(token) >= 32
        here = f"http://127.0.0.1:{server.port}/"
        assert httpx.get(here, timeout=20).status_code == 401
        assert (
            httpx.get(here, params={"token": token}, follow_redirects=True, timeout=20).status_code
            == 200
        )


@pytest.mark.slow
def test_ctrl_c_ends_the_server_and_tells_what_comes_next(tmp_path: Path) -> None:
    with ReviewServer(review_work(tmp_path / "work")) as server:
        assert httpx.get(server.url, timeout=20).status_code == 200
        code, said = server.stop()
    assert code == 0
    assert "next: cairn scrub" in said


def test_a_port_that_is_taken_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    work = review_work(tmp_path / "work")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code = main(["review", str(work), "--port", str(taken.getsockname()[1])])
    assert code == 1
    assert "choose another with --port" in capsys.readouterr().err
