"""The HTTP service: a photo comes in, the recognition goes out as `cairn recognize --json` prints it."""

import asyncio
from typing import Annotated

from fastapi import FastAPI, File, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import JsonValue

from cairn.base.settings import RecognizeSettings, ServeSettings
from cairn.recognizer import Recognizer
from cairn.version import __version__

# The frame around one file in a multipart body: boundary, names, headers.
FRAME_BYTES = 10_000


def make_service(recognizer: Recognizer, *, settings: ServeSettings) -> FastAPI:
    """The service of one bundle.

    One photo is recognised at a time: the network uses all processors for it.
    """
    app = FastAPI(title="Cairn", version=__version__, docs_url=None, redoc_url=None)
    one_at_a_time = asyncio.Lock()

    @app.middleware("http")
    async def refuse_large(request: Request, call_next):  # type: ignore[no-untyped-def]  # Starlette's own
        problem = _size_problem(request, settings.max_upload_bytes)
        return problem if problem is not None else await call_next(request)

    @app.exception_handler(RequestValidationError)
    async def refuse_form(_request: Request, _error: RequestValidationError) -> JSONResponse:
        return _problem(
            422,
            "the request has no photo; a form field called image was expected; send one: curl -F image=@photo.jpg",
        )

    @app.get("/")
    async def front() -> dict[str, JsonValue]:
        """What can be asked here."""
        return {"cairn": __version__, "try": "curl -F image=@photo.jpg .../v1/recognize"}

    @app.get("/healthz")
    async def health() -> dict[str, JsonValue]:
        """Whether the service answers, and with what."""
        return {"status": "ok", "version": __version__, "landmarks": len(recognizer.landmark_ids)}

    @app.post("/v1/recognize")
    async def recognize(image: Annotated[UploadFile, File()]) -> JSONResponse:
        """The recognition of the photo in the form field `image`; 422 where it cannot be read."""
        content = await image.read(settings.max_upload_bytes + 1)
        async with one_at_a_time:
            answer = await asyncio.to_thread(
                recognizer.recognize,
                content,
                name=image.filename or "image",
                settings=RecognizeSettings(max_pixels=settings.max_pixels),
            )
        return JSONResponse(answer.to_json(), status_code=422 if answer.error else 200)

    return app


def _size_problem(request: Request, max_bytes: int) -> JSONResponse | None:
    """What is wrong with the size that the request announces, or None."""
    if request.method != "POST":
        return None
    told = request.headers.get("content-length", "")
    if not told.isdigit() or "transfer-encoding" in request.headers:
        return _problem(
            411, "the request does not say its length; a Content-Length was expected; send one"
        )
    if int(told) > max_bytes + FRAME_BYTES:
        return _problem(
            413,
            f"the upload has {int(told):,} bytes; at most {max_bytes:,} were expected; send a smaller photo "
            "or start the service with a larger --max-upload-bytes",
        )
    return None


def _problem(status: int, message: str) -> JSONResponse:
    return JSONResponse({"error": message}, status_code=status)
