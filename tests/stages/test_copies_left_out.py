from collections.abc import Mapping, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from cairn.stages.copies_left_out import Copy, Truth, copies_to_leave_out

IDS = "abcdef"
Pairs = list[tuple[str, str]]
PAIRS = st.lists(st.tuples(st.sampled_from(IDS), st.sampled_from(IDS)), max_size=8)
TRUTHS = st.fixed_dictionaries(
    {one: st.sampled_from([None, [], ["x"], ["y"], ["x", "y"]]) for one in IDS}
)


def left_out(
    pairs: Sequence[tuple[str, str]], truths: Mapping[str, Truth] | None = None, gone: str = ""
) -> tuple[str, str]:
    """The images that go, and those left to people, as letters; all show x unless told."""
    given_truths = truths or {one: ["x"] for one in IDS}
    going, left = copies_to_leave_out([Copy(*pair) for pair in pairs], given_truths, set(gone))
    return "".join(sorted(going)), "".join(sorted(left))


def slowly(pairs: Pairs, truths: Mapping[str, Truth], gone: set[str]) -> tuple[set[str], set[str]]:
    """The rule as one would write it first: walk from image to image, then ask of each."""
    pairs = [(a, b) for a, b in pairs if a != b]
    going, left, seen = set(), set(), set()
    for start in IDS:
        if start in seen:
            continue
        group, todo = {start}, [start]
        while todo:
            one = todo.pop()
            near = {b for a, b in pairs if a == one} | {a for a, b in pairs if b == one}
            todo += near - group
            group |= near
        seen |= group
        members = sorted(
            group - gone, key=lambda one: (-len({a for a, b in pairs if b == one}), one)
        )
        staying = [one for one in members if all(a != one for a, _ in pairs)] or members[:1]
        for one in members:
            if one in staying:
                continue
            truth = truths[one]
            covered = False
            for shown in [truths[other] for other in staying]:
                if truth is None:
                    covered = True
                elif shown is not None:
                    covered |= (truth == [] and shown == []) or (
                        truth != [] and all(each in shown for each in truth)
                    )
            if covered:
                going.add(one)
            else:
                left.add(one)
                staying.append(one)
    return going, left


@settings(deadline=None)
@given(pairs=PAIRS, truths=TRUTHS, gone=st.sets(st.sampled_from(IDS), max_size=3))
def test_the_rule_is_that_of_the_slow_twin_and_one_of_each_group_stays(
    pairs: Pairs, truths: dict[str, Truth], gone: set[str]
) -> None:
    copies = [Copy(*pair) for pair in pairs]
    going, left = copies_to_leave_out(copies, truths, gone)
    assert (going, left) == slowly(pairs, truths, gone)
    assert not going & gone
    for a, b in pairs:
        assert {a, b} <= gone or a == b or going != set(IDS) - gone


def test_a_copy_goes_and_the_image_that_it_is_a_copy_of_stays() -> None:
    assert left_out([("a", "b")]) == ("a", "")
    assert left_out([("a", "a")]) == ("", "")


def test_copies_of_copies_all_go_for_one() -> None:
    assert left_out([("a", "b"), ("b", "c"), ("d", "c")]) == ("abd", "")


def test_of_those_that_are_each_others_copies_the_one_with_most_copies_stays() -> None:
    assert left_out([("b", "a"), ("a", "b")]) == ("b", "")
    assert left_out([("b", "a"), ("a", "b"), ("c", "b")]) == ("ac", "")


def test_nothing_goes_for_the_sake_of_an_image_that_is_gone() -> None:
    assert left_out([("a", "b")], gone="b") == ("", "")
    assert left_out([("a", "b"), ("c", "b")], gone="b") == ("c", "")
    assert left_out([("a", "b"), ("c", "b")], gone="ab") == ("", "")


def test_a_copy_that_shows_something_else_is_left_to_people() -> None:
    truths: dict[str, Truth] = {"a": ["x"], "b": ["y"], "c": None, "d": [], "e": ["y", "x"]}
    assert left_out([("a", "b")], truths) == ("", "a")
    assert left_out([("c", "b")], truths) == ("c", "")
    assert left_out([("d", "b")], truths) == ("", "d")
    assert left_out([("a", "c")], truths) == ("", "a")
    assert left_out([("a", "e")], truths) == ("a", "")


def test_copies_of_one_that_shows_something_else_go_for_one_of_their_own() -> None:
    truths: dict[str, Truth] = {"a": ["x"], "b": ["x"], "c": ["x"], "d": ["y"]}
    assert left_out([("a", "c"), ("b", "c"), ("c", "d")], truths) == ("ab", "c")


def test_an_image_that_the_catalog_does_not_keep_counts_for_nothing() -> None:
    assert left_out([("a", "zz")]) == ("", "")
