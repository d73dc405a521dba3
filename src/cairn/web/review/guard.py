"""Who may ask the review page: checks of host, origin and token before any answer, and the headers of every answer."""

import hmac
import ipaddress
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK_NAMES = {"localhost", "127.0.0.1", "::1"}
# Followed by the port, for cookies are the same for all ports of a host.
COOKIE = "cairn_review_"
# Browsers refuse more than 400 days.
COOKIE_AGE_S = 30 * 24 * 3600
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


def is_loopback(host: str) -> bool:
    """Whether what listens on `host` can be reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Guard:
    """Lets through to `app` what comes from the page itself, and from whom may.

    token: None: only this machine can reach us, and only under a name of the loopback: a page of another site whose
    name leads here (DNS rebinding) is refused. Otherwise the token is asked for, once, in the address; a cookie then
    stands for it. Requests that other sites have made are refused in both cases.
    """

    def __init__(self, app: ASGIApp, *, token: str | None) -> None:
        self._app, self._token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request of ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = self._refusal(scope)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        await (answer or self._app)(scope, receive, send_guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        """The answer to a request that is not let through, or None."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self._token is None and _name_of(host) not in LOOPBACK_NAMES:
            return _refused(
                421,
                f"this page answers to localhost only, and was asked as {host[:100]!r}; open http://localhost with its port",
            )
        if _is_of_another_site(scope, headers, host):
            return _refused(
                403,
                "another site has sent this request; one of the review page itself was expected; open the page's own address",
            )
        if self._token is None:
            return None
        cookie = f"{COOKIE}{(scope.get('server') or (None, 0))[1]}"
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = dict(query).get("token")
        if given is not None and scope["method"] == "GET" and _same(given, self._token):
            return _signed_in(
                scope["path"],
                [(name, value) for name, value in query if name != "token"],
                self._token,
                cookie,
            )
        if _same(_cookie(headers, cookie), self._token):
            return None
        return _refused(
            401,
            "this page asks for a token; the address that cairn review has printed was expected; open that address",
        )


def _is_of_another_site(scope: Scope, headers: Headers, host: str) -> bool:
    origin, fetched_by = headers.get("origin"), headers.get("sec-fetch-site", "none")
    if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
        return True
    # A link on another site may lead to the page, but nothing else of ours may be loaded from there.
    is_page = scope["method"] == "GET" and scope["path"] == "/"
    return not is_page and fetched_by not in ("none", "same-origin")


def _signed_in(path: str, query: list[tuple[str, str]], token: str, cookie: str) -> Response:
    # Not an address that begins with //, which would be another host's.
    there = "/" + path.lstrip("/") + (f"?{urlencode(query)}" if query else "")
    answer = RedirectResponse(there, status_code=303)
    # Lax: with Strict the cookie would be missing where the address was opened from a letter or a chat.
    answer.set_cookie(cookie, token, max_age=COOKIE_AGE_S, httponly=True, samesite="lax", path="/")
    return answer


def _name_of(host: str) -> str:
    """The name in a Host header, without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def _cookie(headers: Headers, name: str) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return found.value if found else ""


def _same(given: str, token: str) -> bool:
    """Whether both are equal, in a time that does not tell how much of them is."""
    return hmac.compare_digest(given.encode(), token.encode())


def _refused(status: int, message: str) -> JSONResponse:
    return JSONResponse({"error": message}, status_code=status)
