import sys

import pytest

from cairn.pipeline import fetching

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
INFINITE = -1


def limits_set(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, *, error: Exception | None = None
) -> list[tuple[int, int]]:
    """What is asked of the system where the limits are these."""
    asked: list[tuple[int, int]] = []

    def ask(_: int, limits: tuple[int, int]) -> None:
        asked.append(limits)
        if error:
            raise error

    monkeypatch.setattr("resource.RLIM_INFINITY", INFINITE)
    monkeypatch.setattr("resource.getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr("resource.setrlimit", ask)
    fetching.allow_many_files()
    return asked


@pytest.mark.parametrize(
    ("soft", "hard", "asked"),
    [
        (1024, 4096, [(4096, 4096)]),
        (256, INFINITE, [(fetching.ENOUGH_FILES, INFINITE)]),
        (4096, 4096, []),
        (100_000, INFINITE, []),
        (INFINITE, INFINITE, []),
    ],
)
def test_as_many_files_are_allowed_as_the_system_lets_us(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, asked: list[tuple[int, int]]
) -> None:
    assert limits_set(monkeypatch, soft, hard) == asked


@pytest.mark.parametrize("error", [ValueError("over the limit"), OSError("not permitted")])
def test_a_system_that_refuses_more_files_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    assert limits_set(monkeypatch, 1024, 4096, error=error) == [(4096, 4096)]
