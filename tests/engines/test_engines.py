import threading
from collections.abc import Iterator

import pytest

from cairn.base.errors import InputError
from cairn.engines.local import Engine, LocalEngine


def local() -> Engine:
    return LocalEngine(n_threads=2)


def on_ray() -> Engine:
    pytest.importorskip("ray")
    from cairn.engines.ray import RayEngine

    return RayEngine(n_ahead=4)


@pytest.fixture(params=[local, pytest.param(on_ray, marks=pytest.mark.slow)])
def engine(request: pytest.FixtureRequest) -> Engine:
    made: Engine = request.param()
    return made


@pytest.fixture(scope="module", autouse=True)
def end_ray() -> Iterator[None]:
    yield
    import sys

    if "ray" in sys.modules:
        sys.modules["ray"].shutdown()


def square(number: int) -> int:
    if number == 13:
        raise InputError("13 is unlucky; another number was expected; leave it out")
    return number * number


def test_results_come_in_the_order_of_the_items(engine: Engine) -> None:
    assert list(engine.map(square, iter(range(10)))) == [n * n for n in range(10)]
    assert list(engine.map(square, [])) == []


def test_an_error_comes_out_as_it_was(engine: Engine) -> None:
    with pytest.raises(InputError, match="13 is unlucky"):
        list(engine.map(square, range(40)))


def test_the_local_engine_reads_only_a_bounded_way_ahead() -> None:
    read = []

    def items() -> Iterator[int]:
        for number in range(1000):
            read.append(number)
            yield number

    results = LocalEngine(n_threads=2, ahead=3).map(lambda number: number, items())
    assert next(results) == 0
    assert len(read) <= 7


def test_leaving_off_ends_the_threads() -> None:
    results = LocalEngine(n_threads=2).map(square, range(12))
    next(results)
    results.close()  # type: ignore[attr-defined]  # it is a generator
    for thread in threading.enumerate():
        if thread.name.startswith("cairn"):
            thread.join(timeout=5)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("cairn_")]
