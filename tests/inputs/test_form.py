"""Forms over sockets: what is not well formed is refused, and what is well formed arrives whole."""

import asyncio

import pytest

from tests.inputs.conftest import Wire, declare

pytestmark = pytest.mark.asyncio(loop_scope="module")

URLENCODED = "Content-Type: application/x-www-form-urlencoded"
MULTIPART = "Content-Type: multipart/form-data; boundary=b"
CUTS = ("one", "two", "bytes")


def part(head, content, boundary=b"b"):
    """Return one part of a multipart body."""
    return b"--" + boundary + b"\r\n" + head + b"\r\n\r\n" + content + b"\r\n"


def field(name, content, *heads):
    """Return one part that is no file."""
    head = b'Content-Disposition: form-data; name="' + name + b'"'
    return part(b"\r\n".join([head, *heads]), content)


def file(name, filename, content, *heads):
    """Return one part that is a file."""
    head = b'Content-Disposition: form-data; name="%b"; filename="%b"' % (name, filename)
    return part(b"\r\n".join([head, *heads]), content)


END = b"--b--\r\n"
NOTE = field(b"note", b"hello")

MALFORMED = {
    "no boundary": ("Content-Type: multipart/form-data", NOTE + END),
    "an empty boundary": ('Content-Type: multipart/form-data; boundary=""', NOTE + END),
    "another boundary": ("Content-Type: multipart/form-data; boundary=c", NOTE + END),
    "two boundaries": ("Content-Type: multipart/form-data; boundary=b; boundary=c", NOTE + END),
    "a boundary with a space at its end": (
        'Content-Type: multipart/form-data; boundary="b "',
        NOTE + END,
    ),
    "a boundary that is too long": (
        f"Content-Type: multipart/form-data; boundary={'b' * 71}",
        b"--" + b"b" * 71 + b"--",
    ),
    "a type that cannot be read": ("Content-Type: multipart/form-data; boundary", NOTE + END),
    "garbage": (MULTIPART, b"\x00\xff garbage"),
    "nothing": (MULTIPART, b""),
    "cut off in a head": (MULTIPART, NOTE + b"--b\r\nContent-Disp"),
    "cut off in a content": (MULTIPART, NOTE + file(b"x", b"y", b"z")[:-3]),
    "no final boundary": (MULTIPART, NOTE),
    "no UTF-8": (MULTIPART, NOTE + field(b"tags", b"\xff") + END),
    "a surrogate": (MULTIPART, NOTE + field(b"tags", b"\xed\xa0\x80") + END),
    "another charset than it says": (
        MULTIPART,
        field(b"note", b"\xff", b"Content-Type: text/plain; charset=us-ascii") + END,
    ),
    "a name that is no UTF-8": (MULTIPART, field(b"\xff", b"x") + NOTE + END),
    "no name": (MULTIPART, part(b"Content-Disposition: form-data", b"x") + NOTE + END),
    "no disposition": (MULTIPART, part(b"Content-Type: text/plain", b"x") + NOTE + END),
    "another disposition": (
        MULTIPART,
        part(b'Content-Disposition: attachment; name="note"', b"x") + END,
    ),
    "two dispositions": (
        MULTIPART,
        field(b"note", b"x", b'Content-Disposition: form-data; name="tags"') + END,
    ),
    "two names": (
        MULTIPART,
        part(b'Content-Disposition: form-data; name="note"; name="tags"', b"x") + END,
    ),
    "a quote that does not end": (
        MULTIPART,
        part(b'Content-Disposition: form-data; name="note', b"x") + END,
    ),
    "words beside the name": (
        MULTIPART,
        part(b'Content-Disposition: form-data; oh name="note"', b"x") + END,
    ),
    "a folded head": (
        MULTIPART,
        part(b'Content-Disposition: form-data;\r\n name="note"', b"x") + END,
    ),
    "a head without a colon": (MULTIPART, field(b"note", b"x", b"nonsense") + END),
    "a blank before a colon": (
        MULTIPART,
        NOTE + part(b'Content-Disposition : form-data; name="tags"', b"x") + END,
    ),
    "a tab before a colon": (MULTIPART, field(b"note", b"x", b"Content-Type\t: text/plain") + END),
    "a blank before another colon, and no content": (
        MULTIPART,
        field(b"note", b"") + field(b"tags", b"x", b"X-More : y") + END,
    ),
    "a separator before a header": (MULTIPART, NOTE + field(b"tags", b"x", b"\x1cX-More: y") + END),
    "a blank before a colon after a preamble": (
        MULTIPART,
        b"preamble\r\n" + part(b'Content-Disposition : form-data; name="note"', b"x") + END,
    ),
    "a NUL in a head": (MULTIPART, field(b"no\0te", b"x") + END),
    "a NUL in a file's name": (
        MULTIPART,
        NOTE + part(b"Content-Disposition: form-data; name=f; filename*=utf-8''a%00b", b"x") + END,
    ),
    "a file's name in another charset": (
        MULTIPART,
        NOTE + part(b"Content-Disposition: form-data; name=f; filename*=x'y'z", b"x") + END,
    ),
    "parts after the end": (MULTIPART, NOTE + END + field(b"tags", b"x") + END),
    "a bare line feed": (MULTIPART, NOTE.replace(b"\r\n", b"\n") + END),
    "bytes after a boundary": (MULTIPART, NOTE + b"--bc\r\n" + END),
    "an escape that is no UTF-8": (URLENCODED, b"note=%FF"),
    "an escaped surrogate": (URLENCODED, b"note=%ED%A0%80"),
    "an overlong form": (URLENCODED, b"note=%C0%AF"),
    "an escape that is none": (URLENCODED, b"note=%zz"),
    "an escape that is cut off": (URLENCODED, b"note=100%"),
    "an escape in a name": (URLENCODED, b"note=1&%FF=1"),
    "bytes that are no UTF-8": (URLENCODED, b"note=\xff"),
    "two types": (f"{URLENCODED}\r\n{MULTIPART}", b"note=1"),
    "neither a type nor a body": ("X: y", b""),
}


@pytest.mark.parametrize("case", MALFORMED)
async def test_a_malformed_form_is_refused(wire, case):
    line, body = MALFORMED[case]

    for cut in CUTS:
        answer = await wire("POST", "/form", line, body=body, cut=cut)

        assert (answer.status, answer.json["code"]) == (400, 100400)
        assert answer.json["error"]


@pytest.mark.parametrize(
    "case", [name for name in MALFORMED if name != "neither a type nor a body"]
)
async def test_a_malformed_form_is_refused_where_a_handler_reads_it_itself(wire, case):
    line, body = MALFORMED[case]

    answer = await wire("POST", "/users-own?read=form", line, body=body)

    assert answer.status == 400


@pytest.mark.parametrize(
    ("line", "body"),
    [
        ("X: y", b"note=1"),
        ("Content-Type: text/plain", b"note=1"),
        ("Content-Type: application/json", b"{}"),
        (f"{URLENCODED}; charset=iso-8859-1", b"note=%E9"),
        (MULTIPART, field(b"note", b"x", b"Content-Transfer-Encoding: base64") + END),
        (MULTIPART, field(b"note", b"x", b"Content-Type: multipart/mixed; boundary=c") + END),
        (MULTIPART, field(b"note", b"x", b"Content-Type: text/plain; charset=utf-7") + END),
    ],
)
async def test_what_is_not_read_is_a_415(wire, line, body):
    for cut in CUTS:
        answer = await wire("POST", "/form", line, body=body, cut=cut)

        assert answer.status == 415


@pytest.mark.parametrize("path", ["/form", "/users-own?read=form"])
@pytest.mark.parametrize(
    ("line", "body"), [(URLENCODED, b"note=x"), (MULTIPART, NOTE + END)], ids=["flat", "parts"]
)
async def test_a_form_in_another_charset_is_refused(wire, path, line, body):
    for charset in ("utf-16", "iso-8859-1", '"UTF-7"'):
        answer = await wire("POST", path, f"{line}; charset={charset}", body=body)

        assert answer.status == 415
        assert "multipart/form-data" in answer.headers["accept"]
    assert (await wire("POST", path, f"{line}; charset=utf8", body=body)).status == 200


@pytest.mark.parametrize("name", [b"a" * 1025, "\u0300\u0323".encode() * 257])
@pytest.mark.parametrize("path", ["/only-files", "/users-own?read=form"])
async def test_the_name_of_a_file_is_bounded(wire, path, name):
    body = file(b"file", name, b"x") + END
    extended = b"Content-Disposition: form-data; name=file; filename*=UTF-8''" + name.replace(
        "\u0300\u0323".encode(), b"%CC%80%CC%A3"
    )

    assert (await wire("POST", path, MULTIPART, body=body)).status == 413
    assert (await wire("POST", path, MULTIPART, body=part(extended, b"x") + END)).status == 413
    body = file(b"file", name[:1024], b"x") + END
    assert (await wire("POST", path, MULTIPART, body=body)).status == 200


@pytest.mark.parametrize(
    ("line", "body", "note"),
    [
        (URLENCODED, b"note=", ""),
        (URLENCODED, b"note", ""),
        (MULTIPART, field(b"note", b"") + END, ""),
        (URLENCODED, b"&note=a+b%2Bc%26&&", "a b+c&"),
        (URLENCODED, "note=%C3%A9é".encode(), "éé"),
        (URLENCODED, b"n%6Fte=%2541", "%41"),
        (f"{URLENCODED}; charset=UTF-8", b"note=1;2", "1;2"),
        (MULTIPART, field(b"note", "é\r\n--x\r\n".encode()) + END, "é\r\n--x\r\n"),
        (
            MULTIPART,
            field(b"note", b"\xe9", b"Content-Type: text/plain; charset=ISO-8859-1") + END,
            "é",
        ),
        (MULTIPART, b"a preamble\r\n" + NOTE + END + b"an epilogue", "hello"),
        (MULTIPART, NOTE + END[:-2], "hello"),
        (
            'Content-Type: multipart/form-data;boundary="a b:c"',
            NOTE.replace(b"--b", b"--a b:c") + b"--a b:c--",
            "hello",
        ),
        (MULTIPART, part(b"content-disposition: Form-Data; NAME=note", b"x") + END, "x"),
        (MULTIPART, field(b"note", b"x", b"Content-Length: 1", b"X-More: y") + END, "x"),
        (
            MULTIPART,
            field(b"note", b"--b\r\nno : head\r\n\r\n"[1:]) + END,
            "-b\r\nno : head\r\n\r\n",
        ),
    ],
)
async def test_a_value_arrives_as_it_was_sent(wire, line, body, note):
    for cut in CUTS:
        answer = await wire("POST", "/form", line, body=body, cut=cut)

        assert answer.json == {"code": 0, "data": {"note": note}}


@pytest.mark.parametrize("read", ["declared", "own"])
async def test_an_empty_value_is_a_value_in_both_encodings(wire, read):
    path = "/form" if read == "declared" else "/users-own?read=form"
    bodies = {
        URLENCODED: b"note=&tags=&tags=1",
        MULTIPART: NOTE.replace(b"hello", b"") + field(b"tags", b"") + field(b"tags", b"1") + END,
    }

    found = []
    for line, body in bodies.items():
        data = (await wire("POST", path, line, body=body)).json["data"]
        found.append(data if read == "declared" else data["form"])

    assert found[0] == found[1]
    assert found[0]["tags"] == ["", "1"]


FILES = {
    "none chosen": (file(b"file", b"", b""), []),
    "one": (
        file(b"file", b"a.txt", b"A", b"Content-Type: text/css; charset=x"),
        [["a.txt", "text/css", "A"]],
    ),
    "an empty one": (file(b"file", b"a", b""), [["a", "text/plain", ""]]),
    "no name": (file(b"file", b"", b"A"), [["", "text/plain", "A"]]),
    "any bytes": (
        file(b"file", b"a", bytes(range(256))),
        [["a", "text/plain", bytes(range(256)).decode("latin-1")]],
    ),
    "its boundary's text within": (
        file(b"file", b"a", b"x--b--y\r\n-b\r\n --b\r\nb"),
        [["a", "text/plain", "x--b--y\r\n-b\r\n --b\r\nb"]],
    ),
    "a quoted name": (file(b"file", rb"a\"b;c.txt", b""), [['a"b;c.txt', "text/plain", ""]]),
    "a browser's name": (
        file(b"file", b"a%22b%0D%0A\\c%41", b""),
        [['a"b\r\n\\c%41', "text/plain", ""]],
    ),
    "a decomposed name": (file(b"file", "e\u0301".encode(), b""), [["é", "text/plain", ""]]),
    "an extended name": (
        part(b"Content-Disposition: form-data; name=file; filename*=UTF-8''%e2%82%ac%20x", b"A"),
        [["€ x", "text/plain", "A"]],
    ),
    "two": (
        file(b"more", b"a", b"A") + file(b"more", b"b", b"B"),
        [["a", "text/plain", "A"], ["b", "text/plain", "B"]],
    ),
    "one of two": (file(b"more", b"a", b"A") + file(b"more", b"", b""), [["a", "text/plain", "A"]]),
}


@pytest.mark.parametrize("case", FILES)
async def test_a_file_arrives_as_it_was_sent(wire, case):
    body, expected = FILES[case]

    for cut in CUTS:
        answer = await wire("POST", "/upload", MULTIPART, body=body + END, cut=cut)

        assert answer.json == {"code": 0, "data": {"note": None, "files": expected}}


@pytest.mark.parametrize(
    ("path", "line", "body", "error"),
    [
        (
            "/form",
            URLENCODED,
            b"note=1&note=2",
            {"form": {"note": ["Given 2 times, but takes one value."]}},
        ),
        (
            "/form",
            MULTIPART,
            NOTE + NOTE + END,
            {"form": {"note": ["Given 2 times, but takes one value."]}},
        ),
        (
            "/form",
            URLENCODED,
            b"note=1&n%6fte=2",
            {"form": {"note": ["Given 2 times, but takes one value."]}},
        ),
        (
            "/form",
            URLENCODED,
            b"note=%00",
            {"form": {"note": ["Null characters are not allowed."]}},
        ),
        (
            "/form",
            MULTIPART,
            field(b"note", b"\0") + END,
            {"form": {"note": ["Null characters are not allowed."]}},
        ),
        (
            "/form",
            URLENCODED,
            b"note=%00&x=1",
            {"form": {"note": ["Null characters are not allowed."], "x": ["Unknown field."]}},
        ),
        ("/form", URLENCODED, b"", {"form": {"note": ["Missing data for required field."]}}),
        ("/form", MULTIPART, END, {"form": {"note": ["Missing data for required field."]}}),
        (
            "/form",
            MULTIPART,
            NOTE + file(b"x", b"y", b"z") + END,
            {"form": {"x": ["Unknown field."]}},
        ),
        (
            "/form",
            MULTIPART,
            file(b"note", b"y", b"z") + END,
            {"form": {"note": ["Not a valid string."]}},
        ),
        (
            "/upload",
            MULTIPART,
            file(b"file", b"a", b"A") * 2 + END,
            {"files": {"file": ["Given 2 times, but takes one value."]}},
        ),
        ("/upload", MULTIPART, field(b"file", b"A") + END, {"form": {"file": ["Unknown field."]}}),
        (
            "/only-files",
            MULTIPART,
            field(b"file", b"A") + END,
            {"files": {"file": ["Not a file."]}},
        ),
        (
            "/only-files",
            MULTIPART,
            file(b"file", b"a", b"") + NOTE + END,
            {"files": {"note": ["Unknown field."]}},
        ),
        (
            "/only-files",
            MULTIPART,
            file(b"file", b"", b"") + END,
            {"files": {"file": ["Missing data for required field."]}},
        ),
    ],
)
async def test_a_value_that_its_field_cannot_take_is_named(wire, path, line, body, error):
    for cut in CUTS:
        answer = await wire("POST", path, line, body=body, cut=cut)

        assert (answer.status, answer.json["error"]) == (422, error)


async def test_a_form_may_include_what_it_does_not_declare(wire):
    answer = await wire("POST", "/open-form", URLENCODED, body=b"note=1&x=2&y=3&y=4")
    assert answer.json["data"] == {"note": "1", "x": "2", "y": ["3", "4"]}

    answer = await wire("POST", "/open-form", URLENCODED, body=b"note=1&note=2&x=%00&y=3&y=%00")
    nul = ["Null characters are not allowed."]
    assert answer.json["error"] == {
        "form": {"note": ["Given 2 times, but takes one value."], "x": nul, "y": nul}
    }


MANY = 51  # the service takes 50


@pytest.mark.parametrize(
    ("line", "body"),
    [
        (URLENCODED, b"&".join(b"x%d=" % number for number in range(MANY))),
        (URLENCODED, b"&" * 100_000),
        (MULTIPART, NOTE * MANY + END),
        (MULTIPART, file(b"", b"", b"") * MANY + END),
        (URLENCODED, b"note=" + b"x" * 2001),
        (MULTIPART, field(b"note", b"x" * 2001) + END),
        (URLENCODED, b"x" * 5000),
        (MULTIPART, field(b"n" * 5000, b"") + END),
        (MULTIPART, field(b"note", b"", *[b"X-A: b"] * 9) + END),
        (MULTIPART, b"--b\r\n" + b"x" * 100_000),
    ],
)
async def test_a_form_beyond_its_bounds_is_too_large(wire, line, body):
    for read in ("/form", "/users-own?read=form"):
        answer = await wire("POST", read, line, body=body)

        assert answer.status == 413


@pytest.mark.parametrize("encoding", ["urlencoded", "multipart"])
@pytest.mark.parametrize("path", ["/form", "/open-form"])
async def test_a_form_that_is_wrong_often_gets_so_many_messages(
    make_service, serve, path, encoding
):
    service = make_service(server={"max_errors": 5})
    declare(service)
    note = b"\0" if path == "/open-form" else b""
    names = [b"x%d" % number for number in range(900)]
    line, body = URLENCODED, b"&".join(name + b"=" + note.replace(b"\0", b"%00") for name in names)
    if encoding == "multipart":
        line, body = MULTIPART, b"".join(field(name, note) for name in names) + END
    async with serve(service) as address:
        wire = Wire(*await asyncio.open_connection(*address))
        answer = await wire("POST", path, line, body=body)
        wire.writer.close()

    assert answer.status == 422
    told = answer.json["error"]["form"]
    assert told.pop("_schema") == ["There are more errors; these are the first 5."]
    assert len(told) == 5


async def test_a_file_may_be_as_large_as_a_request(wire):
    body = file(b"file", b"a", b"x" * 900_000) + END

    answer = await wire("POST", "/upload", MULTIPART, body=body)

    assert len(answer.json["data"]["files"][0][2]) == 900_000
