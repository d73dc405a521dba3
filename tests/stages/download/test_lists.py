import contextlib
import csv
import gzip
import io
import os
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from cairn.base.errors import InputError
from cairn.stages.download import blocks, lists
from cairn.stages.download.blocks import ListRow, RowFault
from cairn.stages.download.lists import open_list

OFTEN = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
HEADER = b"id,url,landmark_id\n"
FAULTS = [RowFault.MALFORMED, RowFault.BLANK, RowFault.NO_ADDRESS]
# Bytes that lists are made of, so that quotes and line ends meet often.
PIECES = [
    b'"', b",", b"\n", b"\r\n", b"\r", b" ", b"\t", b"\0", b"a", b"1", b"\xff", "é".encode(), b'""', b'",',
    b',"', b'\n"', b"http://h/", b"1,http://h/a,2\n", b"None", b"\n\n",
]  # fmt: skip
WILD = st.lists(st.sampled_from(PIECES), max_size=40).map(b"".join)


@contextlib.contextmanager
def reading(*, at_once: int = 1 << 18, near: int = 4096, few: int = 1024) -> Iterator[None]:
    """Pieces of other sizes than usual, so that small lists meet their borders."""
    with (
        patch.object(lists, "LONGEST_BYTES", at_once),
        patch.object(lists, "NEAR_BYTES", near),
        patch.object(blocks, "FEW_BYTES", few),
    ):
        yield


def rows_of(path: Path, content: bytes | str, *, columns: str = "") -> list[ListRow]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with open_list(path, columns=columns) as found:
        rows = list(found.rows())
        assert [row.row for row in rows] == list(range(1, len(rows) + 1))
        assert len(rows) <= found.most_rows
        for row in rows:
            assert found.at(row.offset, row.row) == row
            if row.fault is None:
                assert found.identity(row.offset) == (row.image_id, row.url)
    return rows


def told(path: Path, content: bytes | str, *, columns: str = "") -> str:
    with pytest.raises(InputError) as error:
        rows_of(path, content, columns=columns)
    return str(error.value)


def plain_rows(path: Path, body: str) -> list[tuple[int, str, str, str | None, RowFault | None]]:
    rows = rows_of(path, HEADER.decode() + body)
    return [(row.line, row.image_id, row.url, row.landmark_id, row.fault) for row in rows]


@OFTEN
@given(content=WILD | st.binary(max_size=60))
def test_whatever_the_bytes_are_they_are_a_list_or_an_input_error(
    tmp_path: Path, content: bytes
) -> None:
    with contextlib.suppress(InputError):
        rows_of(tmp_path / "list.csv", content)


@OFTEN
@given(body=WILD, at_once=st.sampled_from([40, 90, 1 << 18]), few=st.sampled_from([0, 30, 1024]))
@example(body=b'1,"http://h/a\n' * 5, at_once=40, few=0)
@example(body=b"1," + b"x" * 200 + b",2\n1,http://h/a,2", at_once=90, few=0)
def test_rows_below_a_header_are_numbered_without_gaps_and_found_again(
    tmp_path: Path, body: bytes, at_once: int, few: int
) -> None:
    with reading(at_once=at_once, near=16, few=few):
        try:
            rows = rows_of(tmp_path / "list.csv", HEADER + body)
        except InputError:
            assert not body.strip(b" \r\n")
            return
    assert all((row.url != "") == (row.fault is None) or row.fault in FAULTS for row in rows)


@OFTEN
@given(body=WILD, at_once=st.sampled_from([64, 1 << 18]))
def test_many_lines_at_once_are_read_as_one_by_one(
    tmp_path: Path, body: bytes, at_once: int
) -> None:
    content = HEADER + b"0,http://h/0,0\n" + body
    with reading(at_once=at_once, few=0):
        quick = rows_of(tmp_path / "list.csv", content)
    with reading(at_once=at_once, few=1 << 30):
        assert rows_of(tmp_path / "list.csv", content) == quick


@OFTEN
@given(
    fields=st.lists(
        st.tuples(*[st.text(st.sampled_from("ab,;\"\n\r\t é'"), max_size=6) for _ in range(3)]),
        min_size=1,
        max_size=6,
    ),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    line_end=st.sampled_from(["\n", "\r\n"]),
    few=st.sampled_from([0, 1024]),
)
def test_well_formed_lists_are_read_as_the_csv_module_reads_them(
    tmp_path: Path, fields: list[tuple[str, str, str]], quoting: int, line_end: str, few: int
) -> None:
    # Of line ends, the writer quotes only its own where it quotes as little as it can.
    assume(quoting == csv.QUOTE_ALL or not any("\r" in field for row in fields for field in row))
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=quoting, lineterminator=line_end)  # type: ignore[arg-type] # an int is one
    writer.writerows([("url", "author", "licence"), *((f"u{a}", b, c) for a, b, c in fields)])
    read = list(csv.reader(io.StringIO(text.getvalue(), newline="")))[1:]
    with reading(few=few):
        rows = rows_of(tmp_path / "list.csv", text.getvalue())
    expected = [[field.strip(" \t") for field in row] for row in read]
    assert [[row.url, row.author or "", row.licence or ""] for row in rows] == expected


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_rows_have_their_lines_and_what_the_list_says(tmp_path: Path, end: str) -> None:
    body = f"a,http://h/1,x{end}b, http://h/2 ,{end}{end}c,http://h/3,x{end}{end} {end}"
    assert plain_rows(tmp_path / "list.csv", body) == [
        (2, "a", "http://h/1", "x", None),
        (3, "b", "http://h/2", None, None),
        (4, "", "", None, RowFault.BLANK),
        (5, "c", "http://h/3", "x", None),
    ]


@pytest.mark.parametrize(
    ("line", "detail"),
    [
        (b"a,http://h/1", "the line has 2 fields where 3 were expected"),
        (b"a,http://h/1,x,y", "the line has 4 fields where 3 were expected"),
        (b"a,http://h/\xff,x", "the line has bytes that are not UTF-8"),
        (b"a,http://h/\0,x", "the line has a NUL character"),
        (b'a,"http://h/1,x', "the line has a quote that is not closed"),
        (b'a,"http://h/1"x,x', "the line has text after a closing quote"),
        (b"a,http://h/1\rb,x", "the line has a line end in the middle"),
        (b"a," + b"x" * (1 << 19), "the line has a line longer than 262,144 bytes"),
    ],
)
def test_a_bad_line_is_one_malformed_row_and_the_next_one_is_read(
    tmp_path: Path, line: bytes, detail: str
) -> None:
    bad, good = rows_of(tmp_path / "list.csv", HEADER + line + b"\nb,http://h/2,y\n")
    assert (bad.fault, bad.detail, bad.url) == (RowFault.MALFORMED, detail, "")
    assert (good.line, good.image_id, good.url, good.landmark_id) == (3, "b", "http://h/2", "y")


def test_an_open_quote_swallows_no_row_even_where_another_quote_would_close_it(
    tmp_path: Path,
) -> None:
    body = '1,http://h/1,"x\n2,http://h/2,y\n3,http://h/3,z"\n4,http://h/4,w\n'
    faults = [(line, fault) for line, *_, fault in plain_rows(tmp_path / "list.csv", body)]
    assert faults == [(2, RowFault.MALFORMED), (3, None), (4, None), (5, None)]


def test_a_quoted_field_may_hold_commas_quotes_and_some_lines(tmp_path: Path) -> None:
    body = 'a,"http://h/1,2","the ""old""\ntown"\nb,http://h/3,y\n'
    assert plain_rows(tmp_path / "list.csv", body) == [
        (2, "a", "http://h/1,2", 'the "old"\ntown', None),
        (4, "b", "http://h/3", "y", None),
    ]


def test_a_quote_open_for_more_than_twenty_lines_is_none(tmp_path: Path) -> None:
    long, short = (f'a,http://h/1,"x{"q" * n}"\n'.replace("q", "\n") for n in (20, 19))
    assert plain_rows(tmp_path / "a.csv", short)[0][-1] is None
    rows = plain_rows(tmp_path / "b.csv", long)
    assert rows[0][-1] == RowFault.MALFORMED
    assert len(rows) == 21


@pytest.mark.parametrize("word", ["", "None", "nan", "NULL", " None "])
def test_what_tables_write_for_nothing_is_no_address(tmp_path: Path, word: str) -> None:
    (row,) = rows_of(tmp_path / "list.csv", f"id,url,landmark_id\na,{word},x\n")
    assert (row.fault, row.image_id, row.landmark_id) == (RowFault.NO_ADDRESS, "a", "x")
    assert row.detail in (f"the address is {word.strip()!r}", "the address is empty")


@pytest.mark.parametrize(
    "header", ["url;key", "Image URL\tPhoto-ID", "link|id", "\ufefftitle,address,\r", '"url","id"']
)
def test_delimiter_and_columns_are_guessed_from_the_header(tmp_path: Path, header: str) -> None:
    delimiter = next(each for each in ";\t|," if each in header)
    order = ["x", "http://h/1"] if "title" in header else ["http://h/1", "x"]
    fields = [*order, ""][: header.count(delimiter) + 1]
    (row,) = rows_of(tmp_path / "list.txt", f"{header}\n{delimiter.join(fields)}\n")
    assert (row.url, row.fault) == ("http://h/1", None)


def test_everything_that_a_list_says_of_an_image_is_read(tmp_path: Path) -> None:
    (row,) = rows_of(
        tmp_path / "list.csv",
        "id,url,landmark_id,license,author,title,name,lat,lng\n"
        "a,http://h/1,x,CC0,Ann,t,Big X,48.5,200\n",
    )
    assert (row.licence, row.author, row.name) == ("CC0", "Ann", "Big X")
    assert (row.latitude, row.longitude) == (48.5, None)


def test_columns_can_be_told(tmp_path: Path) -> None:
    content = "key,url,link,where\na,http://h/1,http://h/2,x\n"
    (row,) = rows_of(tmp_path / "l.csv", content, columns="url=link, landmark=where")
    assert (row.image_id, row.url, row.landmark_id) == ("a", "http://h/2", "x")


def test_wrong_columns_are_told_together_with_the_nearest_names(tmp_path: Path) -> None:
    words = told(
        tmp_path / "l.csv", "key,link\na,b\n", columns="url=lynk,idd=key,nonsense,id=key,id=key"
    )
    assert "4 settings are wrong" in words
    for part in ("did you mean link?", "did you mean id?", "'nonsense' is no pair", "given twice"):
        assert part in words


def test_a_list_of_one_column_may_have_commas_in_its_addresses(tmp_path: Path) -> None:
    with_header, _ = rows_of(tmp_path / "a.csv", "url\nhttp://h/a,b\nhttp://h/c\n")
    without, _ = rows_of(tmp_path / "b.txt", "\n\nhttp://h/a,b\nhttp://h/c\n")
    assert with_header.url == without.url == "http://h/a,b"
    assert (with_header.line, without.line) == (2, 3)


def test_an_image_without_an_id_gets_one_from_its_address(tmp_path: Path) -> None:
    one, two, none = rows_of(tmp_path / "l.csv", "id,url\n,http://h/1\nb,http://h/1\n,None\n")
    (other,) = rows_of(tmp_path / "m.txt", "http://h/1")
    assert one.image_id == other.image_id == "bbfd39786b5cca2c"
    assert (two.image_id, none.image_id) == ("b", "")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\n \r\n", "is empty"),
        (b"id,url\n\n", "names of columns and no row"),
        (b"id,lurl\na,b\n", "has the columns id, lurl; one with the addresses of photos"),
        (b"a,http://h/1,x\n", "holds an address where names of columns were expected"),
        (b"url,id,id\na,b,c\n", "2 columns called 'id'"),
        (b'"url\na\n', "is not well formed"),
        (b"\x1f\x8babc", "is a gzip file without .gz"),
        (b"PK\x03\x04abc", "is a zip or Excel file"),
        (b"\xff\xfeu\0r\0", "is UTF-16 text"),
        (b"<!doctype html>", "is a web page"),
        ("url,né\na,b\n".encode("latin-1"), "is no UTF-8 text"),
        (b"u" * (1 << 18) + b"\nx", "is longer than 262,144 bytes"),
    ],
)
def test_what_is_no_list_is_told_in_three_parts(tmp_path: Path, content: bytes, words: str) -> None:
    message = told(tmp_path / "l.csv", content)
    assert words in message
    assert "expected" in message


def test_a_list_that_is_not_there_is_told_apart(tmp_path: Path) -> None:
    for path, words in [
        (tmp_path / "l.csv", "does not exist"),
        (tmp_path, "is no file"),
        (Path("https://h/list.csv"), "is an address"),
    ]:
        with pytest.raises(InputError, match=words):
            open_list(path)


def test_a_packed_list_is_read_as_the_plain_one_and_leaves_nothing_behind(tmp_path: Path) -> None:
    content = HEADER + b"a,http://h/1,x\n" * 1000
    plain = rows_of(tmp_path / "l.csv", content)
    (tmp_path / "l.csv.gz").write_bytes(gzip.compress(content, mtime=0))
    with open_list(tmp_path / "l.csv.gz", scratch=tmp_path) as found:
        assert list(found.rows()) == plain
        assert found.name == (tmp_path / "l.csv.gz").resolve().as_posix()
        assert sorted(path.name for path in tmp_path.iterdir()) == ["l.csv", "l.csv.gz"]


@pytest.mark.parametrize("content", [b"no gzip", gzip.compress(b"id,url\n" * 99, mtime=0)[:-9]])
def test_a_broken_packed_list_is_told(tmp_path: Path, content: bytes) -> None:
    assert "a whole gzip file was expected" in told(tmp_path / "l.csv.gz", content)


def test_a_list_that_changes_while_it_is_open_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "l.csv"
    path.write_bytes(HEADER + b"a,http://h/1,x\n")
    with open_list(path) as found:
        row = next(found.rows())
        os.utime(path, ns=(1, 1))
        with pytest.raises(InputError, match="has changed while it was read"):
            found.at(row.offset, row.row)


def test_a_row_is_found_before_the_list_was_read(tmp_path: Path) -> None:
    path = tmp_path / "l.csv"
    path.write_bytes(HEADER + b'a,http://h/1,"x\ny"\nb,http://h/2,x\n')
    with open_list(path) as found:
        assert found.at(offset=42, row=2).line == 4
