"""A photo at the end of its redirects, for callers that do not queue them by host."""

from cairn.images.fetch.causes import FetchCause, FetchError
from cairn.images.fetch.client import MOST_REDIRECTS, Client, Reply


async def fetch_photo(client: Client, url: str, *, most_redirects: int = MOST_REDIRECTS) -> Reply:
    """The answer that has a body, `most_redirects` redirects away from `url` at the most.

    Raises FetchError: REDIRECTS where they go in circles or on for too long, else as `Client.hop` does, at any of them.
    """
    asked: set[str] = set()
    while url not in asked and len(asked) <= most_redirects:
        asked.add(url)
        reply = await client.hop(url)
        if reply.location is None:
            return reply
        url = reply.location
    how = "go in a circle" if url in asked else f"are more than {most_redirects}"
    raise FetchError(FetchCause.REDIRECTS, f"the redirects {how}, last to {url[:200]}")
