from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cairn.base.errors import InputError
from cairn.stages.gld import id_table
from cairn.stages.gld.id_table import IdTable, id_number

COLUMNS = ("id", "title")
A, B, C = "00000000000000aa", "ffffffffffffffff", "0000000000000000"


def table(path: Path, text: str) -> IdTable:
    path.write_bytes(text.encode())
    return IdTable(path, columns=COLUMNS)


@pytest.mark.parametrize(
    ("image_id", "number"),
    [(A, 170), (B, 2**64 - 1), (C, 0), ("AA", None), (B.upper(), None), ("0x" + A[2:], None), ("", None), (A + "0", None)],
)  # fmt: skip
def test_only_sixteen_small_hex_digits_are_an_id(image_id: str, number: int | None) -> None:
    assert id_number(image_id) == number


def test_rows_are_found_by_id_and_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    with table(tmp_path / "x", f"\ufeffid,title\r\n{B},b\r\n{A},a\r\n{C},c") as rows:
        assert [rows.row_of(image_id) for image_id in (A, B, C)] == [[A, "a"], [B, "b"], [C, "c"]]
        assert rows.row_of("00000000000000ab") is rows.row_of("x") is None
        assert list(rows.rows()) == [(0, [B, "b"]), (1, [A, "a"]), (2, [C, "c"])]
        assert rows.positions_of(np.array([0, 170, 171], dtype=np.uint64)).tolist() == [2, 1, -1]


def test_quoted_fields_may_go_on_over_several_lines(tmp_path: Path) -> None:
    with table(tmp_path / "x", f'id,title\n"{A}","a, ""b""\nand c"\n{B},b\n') as rows:
        assert rows.row_of(A) == [A, 'a, "b"\nand c']
        assert (len(rows), rows.n_odd_lines, rows.first_odd_line) == (2, 1, 3)


def test_a_quote_that_is_never_closed_spoils_its_own_row_only(tmp_path: Path) -> None:
    with table(tmp_path / "x", f'id,title\n{A},"open\n{B},b\n') as rows:
        assert rows.row_of(B) == [B, "b"]


@pytest.mark.parametrize("rest", [",a,b", "", ',"' + "x" * 140_000 + '"'])
def test_a_row_without_a_field_for_each_column_is_none(tmp_path: Path, rest: str) -> None:
    with table(tmp_path / "x", f"id,title\n{A}{rest}\n") as rows:
        assert rows.row_of(A) is None
        assert list(rows.rows()) == [(0, None)]


def test_bytes_that_are_no_text_are_shown_as_such(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"id,title\n" + A.encode() + b",\xff\n")
    with IdTable(tmp_path / "x", columns=COLUMNS) as rows:
        assert rows.row_of(A) == [A, "\ufffd"]


def test_of_equal_ids_the_first_counts(tmp_path: Path) -> None:
    with table(tmp_path / "x", f"id,title\n{A},1\n{B},2\n{A},3\n{A},4\n") as rows:
        assert rows.row_of(A) == [A, "1"]
        assert rows.n_repeated == 2


def test_a_list_without_rows_has_none(tmp_path: Path) -> None:
    with table(tmp_path / "x", "id,title\n") as rows:
        assert (len(rows), rows.row_of(A), list(rows.rows())) == (0, None, [])
        assert rows.positions_of(np.array([1], dtype=np.uint64)).tolist() == [-1]


def test_lines_that_are_no_rows_are_counted_and_spoil_no_row_before_them(tmp_path: Path) -> None:
    with table(tmp_path / "x", f"id,title\n{A},1\n\r\n\nodd\n{B},2\r\nodd,") as rows:
        assert (rows.n_odd_lines, rows.first_odd_line) == (2, 5)
        assert list(rows.rows()) == [(0, [A, "1"]), (1, [B, "2"])]


def test_the_id_of_a_row_is_known_whatever_else_stands_in_it(tmp_path: Path) -> None:
    with table(tmp_path / "x", f'id,title\n{A}\n"{B}",1,2,3\n') as rows:
        assert [rows.id_at(position) for position in (0, 1)] == [A, B]


def test_other_columns_or_no_list_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="begins with 'id,name'; the columns id,title were"):
        table(tmp_path / "x", "id,name\n")
    with pytest.raises(InputError, match="cannot be opened: No such file"):
        IdTable(tmp_path / "y", columns=COLUMNS)


def test_a_list_that_changes_while_it_is_read_is_told(tmp_path: Path) -> None:
    with table(tmp_path / "x", f"id,title\n{A},1\n") as rows:
        (tmp_path / "x").write_text("id,title\n")
        with pytest.raises(InputError, match="has changed while it was read"):
            rows.row_of(A)


lines = st.lists(
    st.one_of(
        st.builds("{:016x},{}".format, st.integers(0, 2**64 - 1), st.text("ab,", max_size=3)),
        st.sampled_from(
            ["", "odd", "0123456789abcdef", "0123456789abcde,x", "0123456789abcdefg,x"]
        ),
    ),
    max_size=30,
)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(lines, st.integers(18, 60), st.booleans())
def test_blocks_of_any_size_give_the_rows_of_the_obvious_reader(
    tmp_path: Path, given_lines: list[str], block: int, ends: bool
) -> None:
    text = "\n".join(["id,title", *given_lines]) + ("\n" if ends else "")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(id_table, "BLOCK_BYTES", block)
        with table(tmp_path / "x", text) as rows:
            found = [rows.position_of(line[:16]) for line in given_lines]
            count, odd, first = len(rows), rows.n_odd_lines, rows.first_odd_line
    slow = [
        line[:16] if id_number(line[:16]) is not None and line[16:17] in ("", ",") else ""
        for line in given_lines
    ]
    ids = [image_id for image_id in slow if image_id]
    assert count == len(ids)
    assert found == [ids.index(line[:16]) if line[:16] in ids else None for line in given_lines]
    odd_lines = [
        at for at, (line, i) in enumerate(zip(given_lines, slow, strict=True), 2) if line and not i
    ]
    assert (odd, first) == (len(odd_lines), odd_lines[0] if odd_lines else None)
