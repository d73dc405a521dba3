"""Cases of the list itself: addresses, ids and landmarks that want to be something else, and lines that are no rows."""

from tests.hostile.deeds import Deed, Row, at, ids, landmarks, raw

HERE = "{slug}.photos.test:{port}/{slug}"
LONG = "x" * 300

ADDRESSES = {
    "file://": Deed(rows=at("file:///etc/hostname", "file://localhost/etc/hostname"), asked=0),
    "ftp://": Deed(rows=at("ftp://photos.test/photo.jpg"), asked=0),
    "data:": Deed(rows=at("data:image/gif;base64,R0lGODlhAQABAAAAACw="), asked=0),
    "javascript:": Deed(rows=at("javascript:alert(1)"), asked=0),
    "no scheme": Deed(rows=at("//" + HERE + "/1.jpg", "photos.test/1.jpg", "photo.jpg"), asked=0),
    "None": Deed(rows=at("None", "nan", "NULL"), asked=0),
    "empty address": Deed(rows=at("", "   "), asked=0),
    "password": Deed(rows=at("http://me:secret@" + HERE + "/1.jpg"), asked=0),
    "no host": Deed(rows=at("http://", "http:///1.jpg", "http://:{port}/{slug}/1.jpg"), asked=0),
    "port out of range": Deed(rows=at("http://photos.test:0/", "http://photos.test:99999/"), asked=0),
    "line breaks": Deed(rows=at("http://" + HERE + "/1.jpg\r\nHost: inside.test"), asked=0),
    "10,000 characters": Deed(rows=at("http://" + HERE + "/" + "x" * 10_000), asked=0),
    "spaces": Deed(rows=at("  http://" + HERE + "/old town hall.jpg "), asked=1),
    "unicode path": Deed(rows=at("http://" + HERE + "/Bogenbrücke/橋.jpg?größe=1"), asked=1),
    "percent escapes": Deed(rows=at("http://" + HERE + "/a%2Fb%20c%c3%bc.jpg?x=%26"), asked=1),
    "broken percent escape": Deed(rows=at("http://" + HERE + "/100%.jpg"), asked=1),
    "fragment": Deed(rows=at("http://" + HERE + "/1.jpg#gate"), asked=1),
    "dots in the path": Deed(rows=at("http://" + HERE + "/a/../../{slug}/./1.jpg"), asked=1),
    "unicode host": Deed(rows=at("http://bücher.{slug}.test:{port}/{slug}/1.jpg"), asked=1),
}  # fmt: skip

IDS = {
    "id ../../x": Deed(rows=ids("../../x", "../../../../../../tmp/hostile"), asked=2),
    "id CON": Deed(rows=ids("CON", "nul.jpg", "com1"), asked=3),
    "id of 300 characters": Deed(rows=ids(LONG + "a", LONG + "b"), asked=2),
    "ids that differ in case": Deed(rows=ids("Gate", "gate", "GATE"), asked=3),
    "id with separators": Deed(rows=ids("a/b", "a\\b", "C:\\x", "/etc/x", "a:b"), asked=5),
    "id of dots": Deed(rows=ids(".", "..", ".hidden", "end."), asked=4),
    "empty id": Deed(rows=ids(""), asked=1),
    "emoji id": Deed(rows=ids("🗼", "🗽"), asked=2),
    "id with quotes and commas": Deed(rows=ids('the "old", gate', "=cmd()", "-rf *"), asked=3),
}

LANDMARKS = {
    "landmark ../../x": Deed(rows=landmarks("../../x", "../../../../../../tmp/hostile"), asked=2),
    "landmark CON": Deed(rows=landmarks("CON", "aux.b"), asked=2),
    "landmark of 300 characters": Deed(rows=landmarks(LONG + "a", LONG + "b"), asked=2),
    "landmarks that differ in case": Deed(rows=landmarks("Tower", "tower"), asked=2),
    "landmark with separators": Deed(rows=landmarks("a/b", "a\\b", "C:\\x", "/etc"), asked=4),
    "landmark of dots": Deed(rows=landmarks("..", ".hidden"), asked=2),
    "emoji landmark": Deed(rows=landmarks("🗼"), asked=1),
    "no landmark": Deed(rows=landmarks(""), asked=1),
}

LINES = {
    "too few fields": Deed(rows=raw(b"too-few,http://photos.test/1.jpg\n"), asked=0),
    "too many fields": Deed(rows=raw(b"too-many,http://photos.test/1.jpg,hostile,more\n"), asked=0),
    "blank line": Deed(rows=raw(b"\n", b"   \r\n"), asked=0),
    "NUL": Deed(rows=raw(b"nul\0l,http://photos.test/nul.jpg,hostile\n"), asked=0),
    "bad UTF-8": Deed(rows=raw(b"latin,http://photos.test/1.jpg,caf\xe9\n"), asked=0),
    "unclosed quote": Deed(rows=raw(b'open,"http://photos.test/1.jpg,hostile\n'), asked=0),
    "row after an unclosed quote": Deed(rows=(Row(image_id='after "it"'), Row()), asked=2),
    "text after a quote": Deed(rows=raw(b'"id"more,http://photos.test/1.jpg,hostile\n'), asked=0),
    # Last, because a reader that makes two rows of it miscounts all that follow.
    "line break in quotes": Deed(rows=ids("two\nlines"), asked=1),
    "row after it all": Deed(asked=1),
}
