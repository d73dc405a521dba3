"""How connections are made: the settings of a client, and the aiohttp session that keeps to them."""

import ssl
import warnings
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace

import aiohttp
from yarl import URL

from cairn.base.errors import InputError
from cairn.images.fetch.deadlines import Deadlines
from cairn.images.fetch.keeping_alive import IDLE_S
from cairn.images.fetch.resolving import ProxyResolver, Resolver

# Large reads: fewer wake-ups for each photo. More makes no difference that can be measured.
READ_BYTES = 262_144
# Security policies of some hosts fill more than aiohttp's 8 KB; past this, headers are an attack.
MOST_HEADER_BYTES = 32_768


@dataclass(frozen=True)
class ClientSettings:
    """How a client asks.

    max_bytes: a larger body is refused, by its header or while it comes.
    allow_private: also hosts inside the own network; the resolver, which sees to it, is to say the same.
    proxy: address of a proxy, "" for none. The proxy resolves names then, so that a name which leads inside the *proxy's*
        network is for the proxy to refuse; addresses that are IP addresses are checked all the same.
    certificates: path of a PEM file to trust besides the usual ones, or "".
    opt_out: leave photos whose host asks for it.
    """

    user_agent: str
    deadlines: Deadlines = field(default_factory=Deadlines)
    max_bytes: int = 50_000_000
    allow_private: bool = False
    proxy: str = ""
    certificates: str = ""
    opt_out: bool = True

    def __post_init__(self) -> None:
        if not self.user_agent.isprintable() or not self.user_agent.strip():
            raise InputError(
                f"the name told to hosts is {self.user_agent!r}; one line of text was expected; "
                "look at --contact"
            )


def http_session(
    user_agent: str, resolver: Resolver, *, proxy: URL | None, tls: ssl.SSLContext
) -> aiohttp.ClientSession:
    """An aiohttp session without cookies, caches, limits and unpacking of its own; to be entered by `async with`.

    Requests carry their `Opening` as `trace_request_ctx`. Deadlines are for who asks: there are none in it.
    """
    with warnings.catch_warnings():
        # Newer Pythons do by themselves what `enable_cleanup_closed` does, and aiohttp says so each time.
        warnings.simplefilter("ignore", DeprecationWarning)
        connector = aiohttp.TCPConnector(
            # With a proxy, the proxy is all that is looked up here, and it was chosen by the user.
            resolver=ProxyResolver(resolver) if proxy else resolver,
            use_dns_cache=False,
            ssl=tls,
            limit=0,
            limit_per_host=0,
            keepalive_timeout=IDLE_S,
            enable_cleanup_closed=True,
        )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        read_bufsize=READ_BYTES,
        max_line_size=MOST_HEADER_BYTES,
        max_field_size=MOST_HEADER_BYTES,
        # Its own deadlines cannot tell a connection from an answer that trickles in.
        timeout=aiohttp.ClientTimeout(),
        trace_configs=[_telling_when_asked()],
        headers={
            "User-Agent": user_agent,
            "Accept": "image/jpeg, image/png, image/*;q=0.8, */*;q=0.5",
            "Accept-Encoding": "identity",
        },
    )


def proxy_address(proxy: str) -> URL | None:
    """The proxy that the settings name, if they name one; raises InputError for what is no proxy's address."""
    if not proxy:
        return None
    try:
        url = URL(proxy)
    except ValueError:
        url = URL()
    if url.scheme not in ("http", "https") or not url.host:
        raise InputError(
            f"the proxy is {proxy!r}; an address such as http://proxy.example:3128 was expected; look at --proxy"
        )
    return url


def _telling_when_asked() -> aiohttp.TraceConfig:
    async def tell(_http: aiohttp.ClientSession, context: SimpleNamespace, _sent: object) -> None:
        context.trace_request_ctx.asked()

    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(tell)
    return trace


# The certificates of a machine take 50 ms to read.
@lru_cache(maxsize=2)
def tls_context(certificates: str) -> ssl.SSLContext:
    """Whom to trust: whom this machine trusts, and the certificates in a PEM file; raises InputError if that cannot be read."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if certificates:
        try:
            context.load_verify_locations(Path(certificates).expanduser())
        except OSError as error:
            raise InputError(
                f"the certificates in {certificates!r} cannot be used ({error}); a PEM file was expected; "
                "look at --certificates"
            ) from None
    return context
