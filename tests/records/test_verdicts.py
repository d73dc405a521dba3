from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cairn.base.errors import InputError
from cairn.records.verdict_events import Decided, Event, Ledger, Reversed
from cairn.records.verdict_journal import VerdictJournal
from cairn.records.verdicts import (
    BAD,
    COPY,
    KEEP,
    NO_LANDMARK,
    SEVERAL,
    UNSURE,
    WRONG,
    Verdict,
    merged,
    read_verdicts,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
FINDINGS = [f"f{i}" for i in range(5)]


def decided(
    number: int, verdict: str, findings: Sequence[str], landmark_ids: object = None
) -> Decided:
    subjects = [
        (finding, f"image of {finding}", () if verdict == NO_LANDMARK else landmark_ids)
        for finding in findings
    ]
    at = START + timedelta(seconds=number)
    return Decided.model_validate(
        {"id": f"e{number}", "at": at, "verdict": verdict, "findings": subjects}
    )


def reversed_(number: int, what: str, of: int) -> Reversed:
    return Reversed.model_validate({"event": what, "id": f"e{number}", "at": START, "of": f"e{of}"})


def held(ledger: Ledger) -> dict[str, str]:
    return {finding: verdict.verdict for finding, verdict in ledger.current.items()}


def slowly_held(events: Sequence[Event]) -> dict[str, str]:
    """The last decision about each finding whose own last reversal is no undo, found by looking through all."""
    found: dict[str, str] = {}
    for finding in FINDINGS:
        for event in events:
            if not isinstance(event, Decided) or finding not in [
                subject[0] for subject in event.findings
            ]:
                continue
            about = [e.event for e in events if isinstance(e, Reversed) and e.of == event.id]
            if not about or about[-1] == "redo":
                found[finding] = event.verdict
    return found


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    events: list[Event] = []
    decisions: list[int] = []
    for number in range(draw(st.integers(0, 30))):
        what = draw(st.sampled_from(["decide", "decide", "undo", "redo"]))
        if what == "decide" or not decisions:
            some = draw(st.lists(st.sampled_from(FINDINGS), min_size=1, max_size=4))
            events.append(
                decided(number, draw(st.sampled_from([KEEP, NO_LANDMARK, COPY, BAD, UNSURE])), some)
            )
            decisions.append(number)
        else:
            events.append(reversed_(number, what, draw(st.sampled_from(decisions))))
    return events


@given(histories())
def test_what_holds_is_what_looking_through_all_events_finds(events: list[Event]) -> None:
    ledger = Ledger("anna")
    for event in events:
        ledger.add(event)
    assert held(ledger) == slowly_held(events)


@given(histories(), st.data())
def test_undoing_all_from_the_last_on_goes_back_through_every_state(
    events: list[Event], data: st.DataObject
) -> None:
    ledger = Ledger("anna")
    states: list[dict[str, str]] = [{}]
    decisions = [event for event in events if isinstance(event, Decided)]
    for event in decisions:
        ledger.add(event)
        states.append(held(ledger))
    n_back = data.draw(st.integers(0, len(decisions)))
    for i, event in enumerate(decisions[::-1][:n_back]):
        ledger.add(Reversed(event="undo", id=f"u{i}", at=START, of=event.id))
        assert held(ledger) == states[-2 - i]
    for i, event in enumerate(decisions[len(decisions) - n_back :]):
        ledger.add(Reversed(event="redo", id=f"r{i}", at=START, of=event.id))
    assert held(ledger) == states[-1]


@settings(deadline=None)
@given(histories(), st.data())
def test_a_journal_cut_off_anywhere_holds_its_whole_lines_and_goes_on(
    tmp_path_factory: pytest.TempPathFactory, events: list[Event], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("cut") / "anna.jsonl"
    journal = VerdictJournal(path)
    journal.claim("anna")
    journal.append(events)
    journal.close()
    content = path.read_bytes()
    cut = data.draw(st.integers(0, len(content)))
    path.write_bytes(content[:cut])
    whole = max(0, content[:cut].count(b"\n") - 1)
    again = VerdictJournal(path)
    assert held(again.ledger) == slowly_held(events[:whole])
    again.claim("anna")
    again.append(events)
    again.close()
    assert path.read_bytes() == content


def test_an_event_that_comes_twice_counts_once(tmp_path: Path) -> None:
    journal = VerdictJournal(tmp_path / "anna.jsonl")
    journal.claim("anna")
    journal.append([decided(1, KEEP, ["f0"]), decided(1, KEEP, ["f0"])])
    journal.append([decided(1, KEEP, ["f0"]), reversed_(2, "undo", 1)])
    journal.append([reversed_(2, "undo", 1)])
    assert len((tmp_path / "anna.jsonl").read_bytes().splitlines()) == 3
    assert held(journal.ledger) == {}
    journal.close()


@pytest.mark.parametrize("order", [(2, 1), (3, 1), (1, 3, 4)])
def test_what_takes_back_nothing_is_refused_and_nothing_is_written(
    tmp_path: Path, order: tuple[int, ...]
) -> None:
    events: list[Event] = [
        decided(1, KEEP, ["f0"]),
        reversed_(2, "undo", 1),
        reversed_(3, "undo", 7),
        reversed_(4, "redo", 3),
    ]
    journal = VerdictJournal(tmp_path / "anna.jsonl")
    journal.claim("anna")
    with pytest.raises(InputError, match="a decision made before was expected"):
        journal.append([events[number - 1] for number in order])
    assert held(journal.ledger) == {}
    assert len((tmp_path / "anna.jsonl").read_bytes().splitlines()) == 1
    journal.close()


def test_a_journal_has_one_writer_and_any_number_of_readers(tmp_path: Path) -> None:
    one, other = VerdictJournal(tmp_path / "anna.jsonl"), VerdictJournal(tmp_path / "anna.jsonl")
    one.claim("anna")
    with pytest.raises(InputError, match="another cairn review writes down what anna decides"):
        other.claim("anna")
    with pytest.raises(InputError, match="is not claimed"):
        other.append([decided(1, KEEP, ["f0"])])
    one.append([decided(1, KEEP, ["f0"])])
    assert other.refresh()
    assert held(other.ledger) == {"f0": KEEP}
    one.close()
    other.claim("anna")
    other.close()


def test_a_damaged_line_in_the_middle_is_told_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / "anna.jsonl"
    path.write_text('{"event":"opened","format":1,"reviewer":"anna"}\nnonsense\n')
    with pytest.raises(InputError, match=r"line 2 of .*anna\.jsonl is no event"):
        VerdictJournal(path)


def test_a_journal_of_a_newer_cairn_is_refused(tmp_path: Path) -> None:
    (tmp_path / "anna.jsonl").write_text('{"event":"opened","format":9,"reviewer":"anna"}\n')
    with pytest.raises(InputError, match="has the format 9; at most 1 was expected"):
        read_verdicts(tmp_path)


@pytest.mark.parametrize(
    ("verdict", "landmark_ids"),
    [(KEEP, ("a",)), (SEVERAL, ("a",)), (SEVERAL, ("a", "a")), (WRONG, ()), (COPY, ())],
)
def test_a_verdict_names_landmarks_only_where_it_can(
    verdict: str, landmark_ids: tuple[str, ...]
) -> None:
    with pytest.raises(ValueError, match="names the landmarks"):
        decided(1, verdict, ["f0"], landmark_ids)


def test_verdicts_are_read_by_the_reviewers_own_names(tmp_path: Path) -> None:
    for number, name in enumerate(("Jürgen", "Ann Lee")):
        journal = VerdictJournal(tmp_path / f"{number}.jsonl")
        journal.claim(name)
        journal.append([decided(number, WRONG, ["f0"], ("belfry",))])
        journal.close()
    found = read_verdicts(tmp_path)
    assert set(found.by_reviewer) == {"Jürgen", "Ann Lee"}
    together = found.merged().verdicts["f0"]
    assert together is not None
    assert (together.reviewer, together.landmark_ids) == ("Ann Lee, Jürgen", ("belfry",))
    assert read_verdicts(tmp_path / "nothing").by_reviewer == {}


def one(
    finding: str, reviewer: str, verdict: str, landmark_ids: tuple[str, ...] | None = None
) -> Verdict:
    return Verdict(finding, f"image of {finding}", verdict, landmark_ids, reviewer, START)


def of(reviewer: str, **verdicts: str) -> dict[str, Verdict]:
    return {finding: one(finding, reviewer, verdict) for finding, verdict in verdicts.items()}


def test_merging_keeps_what_nobody_disputes_and_unsure_is_no_vote() -> None:
    together = merged([
        of("anna", f0=KEEP, f1=KEEP, f2=UNSURE, f3=UNSURE),
        of("ben", f0=KEEP, f1=BAD, f2=COPY, f3=UNSURE, f4=BAD),
    ])  # fmt: skip
    assert together.disputed == ["f1"]
    assert {finding: verdict.verdict for finding, verdict in together.agreed.items()} == {
        "f0": KEEP, "f2": COPY, "f3": UNSURE, "f4": BAD,
    }  # fmt: skip
    assert together.agreement == 0.5


def test_the_same_landmarks_in_another_order_are_no_dispute() -> None:
    together = merged([
        {"f0": one("f0", "anna", SEVERAL, ("a", "b"))}, {"f0": one("f0", "ben", SEVERAL, ("b", "a"))}
    ])  # fmt: skip
    assert together.disputed == []
    assert merged(
        [{"f0": one("f0", "anna", WRONG, ("a",))}, {"f0": one("f0", "ben", WRONG, ("b",))}]
    ).disputed == ["f0"]


def test_nothing_decided_is_merged_to_nothing() -> None:
    assert merged([]).verdicts == {}
    assert merged([{}, {}]).agreement is None


def test_kappa_of_the_textbook() -> None:
    # 50 proposals, read by two: 20 both yes, 15 both no, 5 and 10 differ: 0.7 alike, 0.5 by chance, kappa 0.4.
    anna = of("anna", **{f"p{i}": KEEP if i < 25 else BAD for i in range(50)})
    ben = of("ben", **{f"p{i}": KEEP if i < 20 or i >= 40 else BAD for i in range(50)})
    (pair,) = merged([anna, ben]).pairs
    assert (pair.reviewers, pair.n, pair.share) == (("anna", "ben"), 50, 0.7)
    assert pair.kappa == pytest.approx(0.4)


def test_kappa_says_nothing_where_both_always_say_the_same_one() -> None:
    (pair,) = merged([of("anna", f0=KEEP, f1=KEEP), of("ben", f0=KEEP, f1=KEEP)]).pairs
    assert (pair.share, pair.kappa) == (1.0, None)


votes = st.dictionaries(st.sampled_from(FINDINGS), st.sampled_from([KEEP, BAD, COPY, UNSURE]))


def slow_agreement(reviewers: Sequence[Mapping[str, str]]) -> float | None:
    alike = [
        a[finding] == b[finding]
        for a, b in combinations(reviewers, 2)
        for finding in FINDINGS
        if a.get(finding, UNSURE) != UNSURE and b.get(finding, UNSURE) != UNSURE
    ]
    return sum(alike) / len(alike) if alike else None


@given(st.lists(votes, max_size=4))
def test_agreement_is_that_of_comparing_every_pair(reviewers: list[dict[str, str]]) -> None:
    together = merged([of(f"r{i}", **said) for i, said in enumerate(reviewers)])
    assert together.agreement == slow_agreement(reviewers)
    for finding, verdict in together.verdicts.items():
        said = Counter(r[finding] for r in reviewers if r.get(finding, UNSURE) != UNSURE)
        assert (verdict is None) == (len(said) > 1)
