import gzip
import io
import tarfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cairn.stages.gld.tars import Member, MemberCause, TarCause, TarError, TarReader

ID = "0123456789abcdef"


def place(image_id: str) -> str:
    return f"{image_id[0]}/{image_id[1]}/{image_id[2]}/{image_id}.jpg"


def ids(count: int) -> list[str]:
    return [f"{n:03x}{n:013x}" for n in range(count)]


def info(
    name: str, *, kind: bytes = tarfile.REGTYPE, size: int = 0, link: str = ""
) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.size, made.linkname = kind, size, link
    return made


def make_tar(path: Path, members: dict[str, bytes], *, kind: int = tarfile.PAX_FORMAT) -> Path:
    with tarfile.open(path, "w", format=kind) as tar:
        for name, content in members.items():
            tar.addfile(info(name, size=len(content)), io.BytesIO(content))
    return path


def made_of(path: Path, *blocks: bytes) -> Path:
    path.write_bytes(b"".join(blocks) + bytes(2 * tarfile.BLOCKSIZE))
    return path


def header(made: tarfile.TarInfo) -> bytes:
    return made.tobuf(tarfile.GNU_FORMAT)


def padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % tarfile.BLOCKSIZE)


def read(path: Path, *, max_bytes: int = 1000) -> tuple[list[Member], Counter[MemberCause]]:
    reader = TarReader(path, max_bytes=max_bytes)
    return list(reader), reader.refused


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_photos_come_with_name_id_and_bytes(tmp_path: Path, kind: int) -> None:
    path = make_tar(tmp_path / "x.tar", {place(i): i.encode() * 40 for i in ids(5)}, kind=kind)
    assert read(path) == ([Member(place(i), i, i.encode() * 40) for i in ids(5)], Counter())


def test_photos_that_are_not_wanted_are_passed_over_and_counted(tmp_path: Path) -> None:
    path = make_tar(tmp_path / "x.tar", {place(i): b"x" * 700 for i in ids(4)})
    reader = TarReader(path, max_bytes=1000, wanted=lambda image_id: image_id == ids(4)[2])
    assert [member.image_id for member in reader] == [ids(4)[2]]
    assert (reader.n_images, reader.n_unwanted, reader.n_members) == (1, 3, 4)


@pytest.mark.parametrize(
    ("made", "cause"),
    [
        (info(place(ID), kind=tarfile.SYMTYPE, link="/etc/passwd"), MemberCause.LINK),
        (info(place(ID), kind=tarfile.LNKTYPE, link="a"), MemberCause.LINK),
        (info(place(ID), kind=tarfile.CHRTYPE), MemberCause.DEVICE),
        (info(place(ID), kind=tarfile.BLKTYPE), MemberCause.DEVICE),
        (info(place(ID), kind=tarfile.FIFOTYPE), MemberCause.FIFO),
        (info(place(ID), kind=b"V"), MemberCause.OTHER),
        (info(place(ID), kind=tarfile.GNUTYPE_SPARSE), MemberCause.SPARSE),
        (info("/" + place(ID)), MemberCause.ABSOLUTE),
        (info("C:\\x.jpg"), MemberCause.ABSOLUTE),
        (info("0/1/2/../../../" + place(ID)), MemberCause.CLIMBS),
        (info("0\\..\\..\\x.jpg"), MemberCause.CLIMBS),
        (info("../x", kind=tarfile.DIRTYPE), MemberCause.CLIMBS),
        (info("0/1/3/" + ID + ".jpg"), MemberCause.NAME),
        (info("0/1/2/" + ID.upper() + ".jpg"), MemberCause.NAME),
        (info("0/1/2/" + ID + ".jpg\n"), MemberCause.NAME),
        (info("readme.txt"), MemberCause.NAME),
        (info(place(ID), size=1001), MemberCause.TOO_LARGE),
    ],
)  # fmt: skip
def test_what_is_no_plain_photo_is_refused_with_its_cause_and_the_next_one_comes(
    tmp_path: Path, made: tarfile.TarInfo, cause: MemberCause
) -> None:
    next_one = header(info(place(ids(9)[8]), size=3)) + padded(b"abc")
    path = made_of(tmp_path / "x.tar", header(made), bytes(2 * 512 if made.size else 0), next_one)
    members, refused = read(path)
    assert [member.content for member in members] == [b"abc"]
    assert refused == {cause: 1}


def test_folders_are_no_members_and_a_dot_before_the_name_is_nothing(tmp_path: Path) -> None:
    folder = header(info("0/1/2/", kind=tarfile.DIRTYPE))
    photo = header(info("./" + place(ID), size=3)) + padded(b"abc")
    reader = TarReader(made_of(tmp_path / "x.tar", folder, photo), max_bytes=10)
    assert [member.image_id for member in reader] == [ID]
    assert reader.n_members == 1


def test_the_same_id_twice_is_taken_once(tmp_path: Path) -> None:
    photo = header(info(place(ID), size=3))
    path = made_of(tmp_path / "x.tar", photo, padded(b"abc"), photo, padded(b"xyz"))
    members, refused = read(path)
    assert [member.content for member in members] == [b"abc"]
    assert refused == {MemberCause.TWICE: 1}


def test_examples_tell_names_without_their_tricks(tmp_path: Path) -> None:
    path = make_tar(tmp_path / "x.tar", {f"\x1b[31m{n}": b"" for n in range(30)})
    reader = TarReader(path, max_bytes=10)
    assert list(reader) == []
    assert reader.examples[0] == ("\\x1b[31m0", MemberCause.NAME)
    assert len(reader.examples) == 20


def extended(words: dict[str, str], kind: bytes = tarfile.XHDTYPE) -> bytes:
    return tarfile.TarInfo._create_pax_generic_header(words, kind, "utf-8")  # type: ignore[attr-defined, no-any-return]


def test_names_in_extended_headers_count_and_are_checked(tmp_path: Path) -> None:
    photo = header(info("short", size=3)) + padded(b"abc")
    climbing = extended({"path": "../../x"}) + photo
    path = made_of(tmp_path / "x.tar", extended({"path": place(ID)}), photo, climbing)
    members, refused = read(path)
    assert [member.image_id for member in members] == [ID]
    assert refused == {MemberCause.CLIMBS: 1}


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_huge_extended_header_is_passed_over_unread_with_the_member_it_speaks_of(
    tmp_path: Path, kind: bytes
) -> None:
    bomb = header(info("x", kind=kind, size=1 << 20)) + bytes(1 << 20)
    photos = [header(info(place(i), size=3)) + padded(b"abc") for i in ids(2)]
    members, refused = read(made_of(tmp_path / "x.tar", bomb, *photos))
    assert [member.image_id for member in members] == [ids(2)[1]]
    assert refused == {MemberCause.EXTENDED: 1}


def test_words_for_all_members_are_passed_over(tmp_path: Path) -> None:
    photo = header(info(place(ID), size=3)) + padded(b"abc")
    told = extended({"path": "../x"}, tarfile.XGLTYPE)
    assert len(read(made_of(tmp_path / "x.tar", told, photo))[0]) == 1


def test_ten_thousand_extended_headers_in_a_row_are_only_slow(tmp_path: Path) -> None:
    photo = header(info(place(ID), size=3)) + padded(b"abc")
    path = made_of(tmp_path / "x.tar", extended({"comment": "x"}) * 10_000, photo)
    assert len(read(path)[0]) == 1


def test_sparse_files_of_either_kind_are_refused_without_reading_their_map(tmp_path: Path) -> None:
    old = bytearray(header(info(place(ids(1)[0]), kind=tarfile.GNUTYPE_SPARSE)))
    old[482] = 1
    old[148:156] = b"%06o\0 " % (sum(old[:148]) + 256 + sum(old[156:]))
    goes_on = (bytes(504) + b"\1" + bytes(7)) * 3 + bytes(512)
    new = extended({"GNU.sparse.major": "1", "GNU.sparse.minor": "0"})
    photos = [header(info(place(i), size=3)) + padded(b"abc") for i in ids(3)]
    path = made_of(tmp_path / "x.tar", bytes(old), goes_on, new, *photos[1:])
    members, refused = read(path)
    assert [member.image_id for member in members] == [ids(3)[2]]
    assert refused == {MemberCause.SPARSE: 2}


def error_of(path: Path) -> TarError:
    with pytest.raises(TarError) as caught:
        read(path)
    return caught.value


@pytest.mark.parametrize("kept", [512, 513, 512 + 600, 2 * 512, 3 * 512 + 100])
def test_a_tar_that_breaks_off_says_so_wherever_it_does(tmp_path: Path, kept: int) -> None:
    path = make_tar(tmp_path / "x.tar", {place(i): b"x" * 700 for i in ids(2)})
    path.write_bytes(path.read_bytes()[:kept])
    assert error_of(path).cause == TarCause.CUT_OFF
    assert "run the same command again" in str(error_of(path))


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", TarCause.NOT_A_TAR),
        (b"<html>404</html>", TarCause.NOT_A_TAR),
        (b"<html>" * 200, TarCause.NOT_A_TAR),
        (gzip.compress(bytes(10_000), mtime=0), TarCause.COMPRESSED),
        (b"BZh9" + bytes(10), TarCause.COMPRESSED),
        (b"\xfd7zXZ\0" + bytes(600), TarCause.COMPRESSED),
        (bytes(1024) + b"x", TarCause.DAMAGED),
        (header(info(place(ID), size=3)) + padded(b"abc") + b"x" * 512, TarCause.DAMAGED),
        (header(info(place(ID))) + header(info("x", kind=b"x", size=9)) + padded(b"no words!"), TarCause.DAMAGED),
        (header(info("x", kind=b"x", size=20)) + padded(b"99999999999 path=abc\n"), TarCause.DAMAGED),
        (header(info(place(ID), size=8 << 40)), TarCause.CUT_OFF),
        (header(info(place(ID), size=-5)), TarCause.DAMAGED),
    ],
)  # fmt: skip
def test_what_is_no_whole_plain_tar_is_refused(
    tmp_path: Path, content: bytes, cause: TarCause
) -> None:
    (tmp_path / "x.tar").write_bytes(content)
    assert error_of(tmp_path / "x.tar").cause == cause


def test_an_empty_tar_holds_nothing(tmp_path: Path) -> None:
    assert read(make_tar(tmp_path / "x.tar", {})) == ([], Counter())


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_damaged_bytes_give_photos_or_a_told_error_and_nothing_else(
    tmp_path: Path, data: st.DataObject
) -> None:
    path = make_tar(tmp_path / "x.tar", {place(i): b"x" * 300 for i in ids(3)})
    content = bytearray(path.read_bytes()[: 8 * 512])
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=6)):
        content[at] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    reader = TarReader(path, max_bytes=1000)
    try:
        names = [member.name for member in reader]
    except TarError:
        return
    assert len(names) == reader.n_images


names = st.sampled_from([*map(place, ids(4)), "x" * 150, "é" * 60 + ".jpg", "a/" * 60 + "b"])


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.dictionaries(names, st.binary(max_size=1500), max_size=7),
    st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
)
def test_the_library_reads_the_same_photos(
    tmp_path: Path, members: dict[str, bytes], kind: int
) -> None:
    path = make_tar(tmp_path / "x.tar", members, kind=kind)
    with tarfile.open(path) as tar:
        found = {m.name: tar.extractfile(m).read() for m in tar if len(m.name) == 26}  # type: ignore[union-attr]
    assert {member.name: member.content for member in read(path, max_bytes=2000)[0]} == found
