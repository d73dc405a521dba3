"""The review page over HTTP: the page itself, its images, and what it asks of a desk."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import asdict
from importlib import resources
from typing import Annotated
from urllib.parse import unquote

from fastapi import Depends, FastAPI, Header, Query, Response
from fastapi.responses import JSONResponse
from starlette.middleware.gzip import GZipMiddleware

from cairn.base.errors import DiskError, InputError
from cairn.images.pixels import encode_jpeg
from cairn.images.store import read_pixels, thumbnail
from cairn.pipeline.review_rows import ROW_KINDS, Kept
from cairn.pipeline.reviewing import Desk, reviewer_name
from cairn.records.verdict_events import Event, Reversed
from cairn.records.verdicts import VERDICTS
from cairn.version import __version__
from cairn.web.review.asked import AskedDecision, AskedEvents, AskedName
from cairn.web.review.guard import Guard
from cairn.web.review.problems import problem, refuse_in_words
from cairn.web.review.telling import told_event, told_image, told_named, told_rows

PAGE = resources.files("cairn") / "web" / "review" / "page"
TYPES = {
    ".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml", ".jpg": "image/jpeg", ".png": "image/png", ".webp": "image/webp",
}  # fmt: skip
SHOWN_BY_BROWSERS = (".jpg", ".png", ".webp")
MAX_ROWS, MAX_DETAILS = 20_000, 200
# An image has another address when its bytes are others.
FOR_GOOD = "private, max-age=31536000, immutable"


def make_review(desk: Desk, *, reviewer: str | None = None, token: str | None = None) -> FastAPI:
    """The review page of one desk.

    reviewer: who decides; None: the page asks for a name. token: see Guard.
    """
    app = FastAPI(
        title="Cairn review", version=__version__, docs_url=None, redoc_url=None, openapi_url=None
    )
    refuse_in_words(app)
    _serve_page(app)
    _serve_images(app, desk)
    who = _asker(reviewer)
    _serve_rows(app, desk, who)
    _serve_events(app, desk, who, fixed=reviewer)
    app.add_middleware(GZipMiddleware, minimum_size=2_000, compresslevel=4)
    app.add_middleware(Guard, token=token)
    return app


def _serve_page(app: FastAPI) -> None:
    files = {
        file.name: file.read_bytes()
        for file in PAGE.iterdir()
        if "." + file.name.rpartition(".")[2] in TYPES
    }

    @app.get("/")
    async def page() -> Response:
        """The page."""
        return Response(files["index.html"], media_type=TYPES[".html"])

    @app.get("/page/{name}")
    async def page_file(name: str) -> Response:
        """A file of the page."""
        if name not in files:
            return problem(
                404,
                f"the page has no file {name[:100]!r}; one that it names was expected; load the page again",
            )
        return Response(files[name], media_type=TYPES["." + name.rpartition(".")[2]])


def _serve_images(app: FastAPI, desk: Desk) -> None:
    # Decoding takes a processor each; other requests are not to wait for it.
    at_once = asyncio.Semaphore(max(2, os.cpu_count() or 1))

    async def answered(image_id: str, read: Callable[[Kept], tuple[bytes, str]]) -> Response:
        kept = desk.rows.kept(image_id)
        if kept is None:
            return problem(
                404, f"the catalog keeps no image {image_id[:100]!r}; load the page again"
            )
        async with at_once:
            try:
                content, kind = await asyncio.to_thread(read, kept)
            except InputError as error:
                return problem(404, str(error))
        return Response(content, media_type=kind, headers={"cache-control": FOR_GOOD})

    @app.get("/thumbnails/{image_id:path}")
    async def small_image(image_id: str) -> Response:
        """A small JPEG of an image."""
        return await answered(image_id, lambda kept: (_thumbnail(desk, kept), TYPES[".jpg"]))

    @app.get("/images/{image_id:path}")
    async def whole_image(image_id: str) -> Response:
        """An image as it is kept, or as a JPEG where browsers do not show its format."""
        return await answered(image_id, lambda kept: _whole_image(desk, kept))


def _thumbnail(desk: Desk, kept: Kept) -> bytes:
    try:
        return desk.thumbnails.jpeg(kept.image_id, kept.path, kept.kept_digest)
    except DiskError:
        # The disk is full, or another Cairn has swept what was being written: it is shown all the same.
        return thumbnail(desk.store, kept.path)


def _whole_image(desk: Desk, kept: Kept) -> tuple[bytes, str]:
    suffix = next((known for known in SHOWN_BY_BROWSERS if kept.path.lower().endswith(known)), None)
    if suffix is not None:
        return desk.store.read(kept.path), TYPES[suffix]
    if "#" in kept.path:
        content = desk.store.read(kept.path)
        if content.startswith(b"\xff\xd8"):
            return content, TYPES[".jpg"]
    return encode_jpeg(read_pixels(desk.store, kept.path), quality=90), TYPES[".jpg"]


def _asker(fixed: str | None) -> Callable[[str], str]:
    def asker(x_reviewer: Annotated[str, Header()] = "") -> str:
        return fixed if fixed is not None else reviewer_name(unquote(x_reviewer))

    return asker


def _serve_rows(app: FastAPI, desk: Desk, who: Callable[[str], str]) -> None:
    @app.get("/api/rows")
    def rows(
        after: Annotated[int, Query(ge=0)] = 0,
        limit: Annotated[int, Query(ge=1, le=MAX_ROWS)] = MAX_ROWS,
    ) -> JSONResponse:
        """The rows from `after` on, in columns; `next` is where the next page begins, null at the end."""
        columns = desk.rows.columns(after, limit)
        end = after + len(columns["ids"])
        return JSONResponse(
            {"version": desk.rows.version, "next": end if end < len(desk.rows) else None, **columns}
        )

    @app.get("/api/details")
    def details(
        reviewer: Annotated[str, Depends(who)], rows: str, is_disputed_view: bool = False
    ) -> JSONResponse:
        """All that the page shows of some rows, given as numbers with commas."""
        wanted = [int(word) for word in rows.split(",") if word.isdecimal()][:MAX_DETAILS]
        known = [row for row in wanted if row < len(desk.rows)]
        return JSONResponse({
            "version": desk.rows.version,
            "rows": told_rows(desk, reviewer, known, of_disputed=is_disputed_view),
        })  # fmt: skip

    @app.get("/api/typical")
    def typical(landmark_id: str) -> JSONResponse:
        """Some images of a landmark."""
        return JSONResponse(
            [told_image(desk.rows, image_id) for image_id in desk.rows.typical(landmark_id)]
        )

    @app.get("/api/landmarks")
    def landmarks(words: str = "") -> JSONResponse:
        """The landmarks whose names have all of `words`."""
        return JSONResponse(
            [told_named(desk.rows, found) for found in desk.rows.found(words[:200])]
        )

    @app.get("/api/standing")
    def standing(reviewer: Annotated[str, Depends(who)]) -> JSONResponse:
        """How far the review is, everybody's part in it."""
        now = asdict(desk.standing())
        return JSONResponse({
            "version": desk.rows.version, "decisions": desk.decisions_state,
            "n_events": desk.n_events(reviewer), **now,
        })  # fmt: skip


def _serve_events(
    app: FastAPI, desk: Desk, who: Callable[[str], str], *, fixed: str | None
) -> None:
    @app.get("/api/session")
    def session() -> JSONResponse:
        """What the page has to know before anything else."""
        return JSONResponse({
            "version": desk.rows.version, "n_rows": len(desk.rows), "n_gone": desk.rows.n_gone, "kinds": ROW_KINDS,
            "verdicts": VERDICTS, "reviewer": fixed, "reviewers": desk.reviewers, "work": desk.name,
        })  # fmt: skip

    @app.post("/api/session")
    def enter(asked: AskedName) -> JSONResponse:
        """The name by which the reviewer is known, once this process may write down what he decides."""
        name = fixed if fixed is not None else reviewer_name(asked.reviewer)
        desk.claim(name)
        return JSONResponse({"reviewer": name})

    @app.get("/api/events")
    def events(
        reviewer: Annotated[str, Depends(who)],
        after: Annotated[int, Query(ge=0)] = 0, limit: Annotated[int, Query(ge=1, le=5_000)] = 5_000,
    ) -> JSONResponse:  # fmt: skip
        """The reviewer's own events from `after` on; `next` is where the next page begins, null at the end."""
        page = desk.events(reviewer, after, limit)
        end = after + len(page)
        return JSONResponse({
            "version": desk.rows.version, "next": end if end < desk.n_events(reviewer) else None,
            "events": [told_event(desk.rows, event) for event in page],
        })  # fmt: skip

    @app.post("/api/events")
    def record(asked: AskedEvents, reviewer: Annotated[str, Depends(who)]) -> JSONResponse:
        """The events are on the disk when this is answered; those that cannot be recorded are named with the reason."""
        events, refused = _events_of(desk, reviewer, asked)
        n_events = desk.record(reviewer, events)
        return JSONResponse(
            {"version": desk.rows.version, "n_events": n_events, "refused": refused}
        )


def _events_of(
    desk: Desk, reviewer: str, asked: AskedEvents
) -> tuple[list[Event], list[dict[str, str]]]:
    """The events in full, and what cannot be recorded."""
    events: list[Event] = []
    refused: list[dict[str, str]] = []
    for one in asked.events:
        if desk.knows_event(reviewer, one.id):
            continue
        if isinstance(one, AskedDecision):
            try:
                decided, _ = desk.decided(
                    one.findings, one.verdict, one.landmark_ids, event_id=one.id, at=one.at
                )
            except InputError as error:
                refused.append({"id": one.id, "because": str(error)})
                continue
            if decided is not None:
                events.append(decided)
            else:
                refused.append(
                    {
                        "id": one.id,
                        "because": "scrub has run again, and these findings are no longer there",
                    }
                )
        elif desk.knows_event(reviewer, one.of) or any(event.id == one.of for event in events):
            events.append(Reversed(event=one.event, id=one.id, at=one.at, of=one.of))
        else:
            refused.append({"id": one.id, "because": "the decision to take back is not there"})
    return events, refused
