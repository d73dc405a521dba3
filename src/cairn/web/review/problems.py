"""What the review page answers where it cannot do what was asked: a status and one sentence for a person."""

from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from cairn.base.errors import CairnError, DiskError
from cairn.base.files import FULL_DISK

MAX_BODY_BYTES = 16_000_000


def refuse_in_words(app: FastAPI) -> None:
    """`app` answers its errors, and requests that are misshapen or too large, in words."""

    @app.exception_handler(CairnError)
    async def told(_request: Request, error: Exception) -> JSONResponse:
        if isinstance(error, DiskError):
            return problem(507, _about_disk(error))
        return problem(400, str(error))

    @app.exception_handler(RequestValidationError)
    async def misshapen(_request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        return problem(
            422, f"the request is not as expected: {where}: {first['msg']}; load the page again"
        )

    @app.middleware("http")
    async def refuse_large(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        if request.method == "POST":
            told = request.headers.get("content-length", "")
            if not told.isdigit() or "transfer-encoding" in request.headers:
                return problem(
                    411,
                    "the request does not say its length; a Content-Length was expected; send one",
                )
            if int(told) > MAX_BODY_BYTES:
                return problem(
                    413,
                    f"the request has {int(told):,} bytes; at most {MAX_BODY_BYTES:,} were expected; send less",
                )
        return await call_next(request)


def problem(status: int, message: str) -> JSONResponse:
    """An answer that says what is wrong."""
    return JSONResponse({"error": message}, status_code=status)


def _about_disk(error: DiskError) -> str:
    """What is wrong with the disk in the words of a page, on which no command is run again."""
    cause = error.__cause__
    is_full = isinstance(cause, OSError) and cause.errno in FULL_DISK
    wanted = (
        "room for a few lines was expected; free some space"
        if is_full
        else "a file that may be written to was expected; check its permissions"
    )
    return f"{str(error).partition('; ')[0]}; {wanted}"
